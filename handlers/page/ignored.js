// Finds that are fine: an owner has them ignored, sees what is ignored, and has it found again.
import {call, callWithPassword, now} from './api.js';
import {batchesOf} from './batches.js';
import {askForPassword} from './dialog.js';
import {button, choice, field, foreign, keepFocus, make, time, told, update} from './dom.js';
import {kindOf} from './kinds.js';
import {askedBy} from './lists.js';
import {complain} from './problems.js';
import {sumUp} from './results.js';
import {PagedTable} from './table.js';
import {say} from './words.js';

const mostInRequest = 5000;
const mostShown = 50;
const longestReason = 500;  // bytes
const daySeconds = 24 * 3600;
const lives = ['30', '90', '365', '0'];  // days; 0: for ever

function filesToIgnore(files) {
    return [told('p', 'ignore.files', {n: files.length}),
        make('ul', {class: 'plan', tabindex: '0', role: 'list'},
            files.slice(0, mostShown).map((file) => make('li', {}, foreign(file)))),
        files.length > mostShown ? told('p', 'delete.more', {n: files.length - mostShown}) : null];
}

// Of a text no more than fits; no character is cut in two.
function shortened(text, most) {
    const encoder = new TextEncoder();
    let characters = [...text];
    while (encoder.encode(characters.join('')).length > most) characters = characters.slice(0, -1);
    return characters.join('');
}

// What became of each file, or null if the owner did not want it after all.
export async function ignoreFiles(files) {
    const reason = make('input', {id: 'ignore-reason', type: 'text', required: true, maxlength: longestReason});
    const life = choice('ignore-life', lives.map((days) => [days, say(days === '0' ? 'ignore.for_ever' : 'ignore.days',
        {n: Number(days)})]), lives[1]);
    const rows = [];
    const carryOut = async (password) => {
        const days = Number(life.value);
        const how = {reason: shortened(reason.value, longestReason),
            expires_at: days === 0 ? 0 : await now() + days * daySeconds};
        for (const batch of batchesOf(files.slice(rows.length), mostInRequest))
            rows.push(...(await callWithPassword(password, 'ignore_files', {files: batch, ...how})).data);
    };
    const wasDone = await askForPassword('ignore.heading', [told('p', 'ignore.what'), told('p', 'ignore.content'),
        filesToIgnore(files), field('ignore.reason', reason), field('ignore.until', life)], 'ignore.do', carryOut);
    return wasDone || rows.length > 0 ? rows : null;
}

class Ignored {
    constructor(place) {
        this.results = make('div', {role: 'status'});
        this.again = button('ignored.again', () => this.findAgain(), {class: 'first', id: 'find-again'});
        this.table = new PagedTable({
            list: 'list_ignored_files', labelKey: 'view.ignored', noneKey: 'ignored.none', sort: 'time', reverse: true,
            numeric: ['time', 'expires'], nameOf: (row) => row.file, idOf: (row) => row.id, onChoice: () => this.enable(),
            columns: [{key: 'file', cell: (row) => [foreign(row.file),
                row.found === '1' ? null : told('span', 'ignored.not_met', {}, {class: 'signature'})]},
            {key: 'virus_type', cell: (row) => [make('span', {class: 'kind'}, say(kindOf(row.virus_type))),
                foreign(row.virus_type, {class: 'foreign signature'})]},
            {key: 'reason', label: 'column.why', cell: (row) => foreign(row.reason)},
            {key: 'by', cell: askedBy},
            {key: 'time', cell: (row) => time(Number(row.time))},
            {key: 'expires', cell: (row) => (row.expires === '0' ? say('ignored.for_ever') : time(Number(row.expires)))}],
        });
        place.append(told('p', 'ignored.what'), make('div', {class: 'buttons'}, this.again), this.results,
            this.table.element);
        this.enable();
    }

    enable() {
        this.again.disabled = this.isBusy || this.table.chosenCount === 0;
    }

    async findAgain() {
        this.isBusy = true;
        this.enable();
        try {
            const rows = [];
            for (const batch of batchesOf(await this.table.chosenIds('id'), mostInRequest))
                rows.push(...(await call('unignore_files', {ids: batch})).data);
            const names = new Map(this.table.rows.map(({id, file}) => [id, file]));
            update(this.results, sumUp(rows.map((row) => ({...row, file: names.get(row.id) ?? row.id})), 'ended',
                'ignored.ended'));
            this.table.choose(null);
            await this.table.load();
            // What has ended is found again within moments, and until then it is in the list.
            await this.table.loadUntilGone(new Set(rows.filter(({state}) => state === 'ended').map(({id}) => id)));
        } catch (error) {
            complain(error);
        }
        this.isBusy = false;
        this.enable();
        keepFocus(this.table.body);
    }
}

export function showIgnored(place) {
    return new Ignored(place).table.load();
}
