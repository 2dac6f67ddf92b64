// What the owner sets once: the scans that begin by themselves, and the mails about what they find.
import {make, told} from './dom.js';
import {showMails} from './mails.js';
import {showSchedule} from './schedule.js';

const parts = [['schedule', showSchedule], ['mails', showMails]];

export async function showSettings(place, signal) {
    place.append(told('p', 'loading'));
    const sections = parts.map(([name]) => make('section', {'aria-labelledby': `${name}-heading`}));
    await Promise.all(parts.map(([, show], i) => show(sections[i])));
    if (!signal.aborted) place.replaceChildren(...sections);
}
