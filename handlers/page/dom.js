// Builds what the page shows. Whatever comes from elsewhere becomes a text node: nothing is ever parsed as markup.
import {phrase, timeText} from './words.js';

const svgSpace = 'http://www.w3.org/2000/svg';

function fill(node, properties, children) {
    for (const [name, value] of Object.entries(properties ?? {})) {
        if (value === undefined || value === null || value === false) continue;
        if (name.startsWith('on')) node.addEventListener(name.slice(2), value);
        else node.setAttribute(name, value === true ? '' : String(value));
    }
    node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
    return node;
}

export const make = (tag, properties, ...children) => fill(document.createElement(tag), properties, children);
export const draw = (tag, properties, ...children) => fill(document.createElementNS(svgSpace, tag), properties, children);

// A text of the catalogue in an element.
export const told = (tag, key, values, properties) => make(tag, properties, phrase(key, values));

export const button = (key, onclick, properties) =>
    make('button', {type: 'button', ...properties, onclick}, phrase(key));

// A control with its label.
export const field = (key, control) => [make('label', {for: control.id}, phrase(key)), control];

// A list to choose one of: [value, text].
export const choice = (id, options, chosen) => make('select', {id}, options.map(([value, text]) =>
    make('option', {value, selected: value === chosen}, text)));

export const time = (seconds) => make('time', {datetime: new Date(seconds * 1000).toISOString()}, timeText(seconds));

// Characters that are not seen, or turn the order of others around; and U+DC80 to U+DCFF, which stand for bytes of a name
// that are no UTF-8.
const hidden = /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u2028-\u202f\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\u{e0000}-\u{e0fff}]|\p{Surrogate}/gu;
const short = {'\n': '\\n', '\r': '\\r', '\t': '\\t', '\0': '\\0'};
const hex = (code, digits) => code.toString(16).padStart(digits, '0');

function visible(character) {
    const code = character.codePointAt(0);
    if (short[character]) return short[character];
    if (code >= 0xdc80 && code <= 0xdcff) return `\\x${hex(code - 0xdc00, 2)}`;
    if (code > 0xffff) return `\\u{${hex(code, 5)}}`;
    return code < 0x100 ? `\\x${hex(code, 2)}` : `\\u${hex(code, 4)}`;
}

// A foreign text in one line.
export const visibleText = (text) => text.replace(hidden, visible);

// A foreign text of many lines.
export const visibleLines = (text) =>
    text.replace(hidden, (character) => (character === '\n' || character === '\t' ? character : visible(character)));

// A foreign name, in an element that keeps its direction from the text around it. A backslash of its own is doubled.
export const nameText = (name) => visibleText(name.replaceAll('\\', '\\\\'));
export const foreign = (name, properties) => make('bdi', {dir: 'ltr', class: 'foreign', ...properties}, nameText(name));

// How many jobs come before one that waits for its turn; null if it does not wait.
export const queuePlace = ({jobs_before: before}) => (before === undefined ? null
    : before === 0 ? told('p', 'queue.next') : told('p', 'queue.before', {n: before}));

// New content, if it is another: what has the focus keeps it where nothing changed.
export function update(place, ...content) {
    const fresh = fill(place.cloneNode(false), {}, content);
    if (!place.isEqualNode(fresh)) place.replaceChildren(...fresh.childNodes);
}

// The keyboard's place, when what had the focus is gone or switched off.
export function keepFocus(place) {
    if (document.activeElement === document.body && place.isConnected) place.focus();
}

// A sentence of the server's.
export const serverSays = (sentence, tag = 'span') => make(tag, {class: 'server-says'}, visibleText(sentence));

const hideSeconds = 8;
let hideTimer = 0;

// Said by screen readers, and shown for a moment.
export function announce(key, values) {
    const place = document.getElementById('announcements');
    place.replaceChildren(...phrase(key, values));
    clearTimeout(hideTimer);
    hideTimer = setTimeout(() => place.replaceChildren(), hideSeconds * 1000);
}
