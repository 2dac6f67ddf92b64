// What is done with infected files, step by step, as it is done.
import {call} from './api.js';
import {foreign, make, queuePlace, serverSays, told} from './dom.js';
import {knows, say} from './words.js';

const mostShown = 100;  // steps in the page, the latest
const pauses = {first: 200, most: 2000};  // milliseconds

const stateOf = (state) => (knows(`state.${state}`) ? say(`state.${state}`) : serverSays(state));

function entry(record) {
    return make('li', {class: `state-${record.state}`},
        record.file === undefined ? null : [foreign(record.file), ': '], stateOf(record.state),
        record.message ? [' – ', serverSays(record.message)] : null);
}

// Shows them in `place` until all is done; false if there is nothing to show. `total`: of steps, if it is known.
export async function watchSteps(place, signal, {onlyIfRunning = false, total = 0, part = null} = {}) {
    let newest = 0;
    let done = 0;
    let isAllDone = false;
    let wait = pauses.first;
    const list = make('ol', {});
    const log = make('div', {class: 'steps', role: 'log', 'aria-label': say('steps.log'), tabindex: '0'}, list);
    const summary = make('div', {role: 'status'});
    while (!signal.aborted) {
        const {data, metadata} = await call('check_disinfection_status', newest > 0 ? {last_id: newest} : {});
        const isShown = list.isConnected;
        if (onlyIfRunning && !isShown && !['queued', 'running'].includes(data.status)) return false;
        if (newest === 0 && !isShown)
            place.replaceChildren(make('section', {'aria-label': say('steps.heading')}, told('h3', 'steps.heading'),
                part ? [told('p', 'steps.batch', part), told('p', 'steps.keep_open')] : null, summary, log));
        if (data.details.length > 0) {
            // Another run has begun, whose records begin anew.
            if (data.details[0].id <= newest) {
                list.replaceChildren();
                done = 0;
            }
            newest = data.details.at(-1).id;
            isAllDone = data.details.some(({type, state}) => type === 'done' && state === 'success');
            done += data.details.filter(({type}) => type === 'step').length;
            list.append(...data.details.slice(-mostShown).map(entry));
            while (list.childElementCount > mostShown) list.firstElementChild.remove();
        }
        show(summary, data.status, metadata, {done, total, isAllDone});
        if (data.status === 'done' || data.status === 'none') return true;
        await new Promise((resolve) => { setTimeout(resolve, wait); });
        wait = Math.min(wait * 1.5, pauses.most);
    }
    return true;
}

function show(summary, status, queue, {done, total, isAllDone}) {
    if (status === 'queued') summary.replaceChildren(told('p', 'steps.queued'), queuePlace(queue) ?? '');
    else if (status !== 'running')
        summary.replaceChildren(told('p', isAllDone ? 'steps.done' : 'steps.not_all', {n: done}));
    else if (total === 0) summary.replaceChildren(told('p', 'steps.running', {n: done}));
    else
        summary.replaceChildren(make('progress', {max: total, value: done, 'aria-label': say('steps.progress')}),
            told('p', 'steps.of', {done, total}));
}
