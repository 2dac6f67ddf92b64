// The parts of the page that only list: what was not scanned, and what was done and changed.
import {foreign, serverSays, time, told} from './dom.js';
import {PagedTable} from './table.js';
import {knows, phrase, say} from './words.js';

// A word of the server's, in the owner's language where there is one.
const wordOf = (start, word) => (knows(`${start}.${word}`) ? say(`${start}.${word}`) : serverSays(word));

export function showUnscanned(place) {
    const table = new PagedTable({
        list: 'list_unscanned_files', labelKey: 'view.unscanned', noneKey: 'unscanned.none', sort: 'file',
        nameOf: (row) => row.file,
        columns: [{key: 'file', cell: (row) => foreign(row.file)},
            {key: 'reason', cell: (row) => wordOf('reason', row.reason)}],
    });
    place.append(told('p', 'unscanned.why'), table.element);
    return table.load();
}

// "scan of mail": a scope that is known, or null.
export function scopeOf(action) {
    const name = /^scan of (\w+)$/.exec(action)?.[1];
    return name === undefined ? null : say(knows(`scope.${name}`) ? `scope.${name}` : 'scope.unknown');
}

function actionOf({action}) {
    const scope = scopeOf(action);
    if (scope !== null) return phrase('history.scan', {scope});
    return wordOf('history', action);
}

// Who asked for something; tokens of pages have names of their own kind.
export function askedBy({by, from}) {
    const who = /^token page-[0-9a-f]{16}$/.test(by) ? say('by.page') : wordOf('by', by);
    return [who, from === '' ? null : [' ', foreign(from)]];
}

export function showHistory(place) {
    const table = new PagedTable({
        list: 'list_history', labelKey: 'view.history', noneKey: 'history.none', sort: 'time', reverse: true,
        numeric: ['time'], nameOf: (row) => row.action,
        columns: [{key: 'time', cell: (row) => time(Number(row.time))}, {key: 'action', cell: actionOf},
            {key: 'result', cell: (row) => wordOf('result', row.result)},
            {key: 'message', cell: (row) => serverSays(row.message)},
            {key: 'by', cell: askedBy}],
    });
    place.append(table.element);
    return table.load();
}
