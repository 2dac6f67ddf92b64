// What lies in quarantine: it can be brought back, or deleted for good.
import {call, now} from './api.js';
import {batchesOf} from './batches.js';
import {ask} from './dialog.js';
import {button, foreign, keepFocus, make, time, told, update} from './dom.js';
import {kindOf} from './kinds.js';
import {complain} from './problems.js';
import {listResults} from './results.js';
import {PagedTable} from './table.js';
import {say, sizeText} from './words.js';

const daySeconds = 24 * 3600;

const isRestorable = (row) => Number(row.restorable) === 1;

// What nothing is found in any more, and what may be good mail, is kept for longer.
function keptUntil(row, today) {
    const until = Number(row.kept_until);
    if (until === 0) return say('quarantine.kept');
    return [time(until), told('span', 'quarantine.left', {n: Math.max(0, Math.ceil((until - today) / daySeconds))},
        {class: 'signature'})];
}

class Quarantine {
    constructor(place, today) {
        this.results = make('div', {role: 'status'});
        this.restore = button('quarantine.restore', () => this.act('restore'), {class: 'first', id: 'restore'});
        this.discard = button('quarantine.discard', () => this.act('delete'), {class: 'danger', id: 'discard'});
        this.table = new PagedTable({
            list: 'list_quarantined_files', labelKey: 'view.quarantine', noneKey: 'quarantine.none', sort: 'time',
            reverse: true, numeric: ['time', 'kept_until', 'size'], nameOf: (row) => row.file, idOf: (row) => row.id,
            onChoice: () => this.enable(),
            columns: [{key: 'file', cell: (row) => foreign(row.file)},
                {key: 'virus_type', cell: (row) => [make('span', {class: 'kind'}, say(kindOf(row.virus_type))),
                    foreign(row.virus_type, {class: 'foreign signature'}),
                    isRestorable(row) ? told('strong', 'quarantine.clean') : null]},
                {key: 'time', cell: (row) => time(Number(row.time))},
                {key: 'kept_until', cell: (row) => keptUntil(row, today)},
                {key: 'size', cell: (row) => sizeText(Number(row.size))}],
        });
        place.append(make('div', {class: 'buttons'}, this.restore, this.discard), this.results, this.table.element);
        this.enable();
    }

    enable() {
        for (const one of [this.restore, this.discard]) one.disabled = this.isBusy || this.table.chosenCount === 0;
    }

    async act(what) {
        this.isBusy = true;
        this.enable();
        try {
            const ids = await this.table.chosenIds('id');
            if (await this.isWanted(what, ids.length)) await this.change(what, ids);
        } catch (error) {
            complain(error);
        }
        this.isBusy = false;
        this.enable();
        keepFocus(this.table.body);
    }

    async isWanted(what, n) {
        if (what === 'restore')
            return await ask('quarantine.restore.heading', [told('p', 'quarantine.restore.ask', {n})],
                [['', 'cancel', 'first'], ['restore', 'quarantine.restore']]) === 'restore';
        const first = await ask('delete.heading', [told('p', 'quarantine.discard.ask', {n})],
            [['', 'cancel', 'first'], ['delete', 'delete.continue', 'danger']]);
        return first === 'delete' && await ask('delete.sure.heading', [told('p', 'delete.sure', {n})],
            [['', 'cancel', 'first'], ['delete', 'delete.do', 'danger']]) === 'delete';
    }

    async change(what, ids) {
        const rows = [];
        for (const batch of batchesOf(ids)) rows.push(...(await call(`${what}_quarantined_files`, {ids: batch})).data);
        update(this.results, told('h3', 'quarantine.result'), listResults(rows));
        this.table.choose(null);
        await this.table.load();
        await this.table.loadUntilGone(new Set(rows.filter(({state}) => state === 'pending').map(({id}) => id)));
    }
}

export async function showQuarantine(place, signal) {
    const today = await now();
    return signal.aborted ? null : new Quarantine(place, today).table.load();
}
