// What became of each of many: those that were done as a number, the others one by one.
import {foreign, make, serverSays, told} from './dom.js';
import {knows, say} from './words.js';

const mostShown = 100;

const stateOf = (state) => (knows(`state.${state}`) ? say(`state.${state}`) : serverSays(state));

const line = (row) => make('li', {}, foreign(row.file), ': ', stateOf(row.state),
    row.message ? [' – ', serverSays(row.message)] : null);

// `rows`: {file, state, message}.
export function listResults(rows) {
    return [make('ul', {class: 'plan', tabindex: '0', role: 'list'}, rows.slice(0, mostShown).map(line)),
        rows.length > mostShown ? told('p', 'delete.more', {n: rows.length - mostShown}) : null];
}

export function sumUp(rows, doneState, doneKey) {
    const failed = rows.filter(({state}) => state !== doneState);
    const n = rows.length - failed.length;
    return [n > 0 ? told('p', doneKey, {n}) : null, failed.length > 0 ? listResults(failed) : null].flat();
}
