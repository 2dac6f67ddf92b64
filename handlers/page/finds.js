// The infected files: what each is, a safe look inside, and what is to be done with them.
import {call} from './api.js';
import {batchesOf} from './batches.js';
import {ask} from './dialog.js';
import {announce, button, foreign, keepFocus, make, nameText, serverSays, time, told, update, visibleLines} from './dom.js';
import {ignoreFiles} from './ignored.js';
import {kindOf} from './kinds.js';
import {complain} from './problems.js';
import {sumUp} from './results.js';
import {watchSteps} from './steps.js';
import {PagedTable} from './table.js';
import {knows, say, sizeText} from './words.js';

const mostPlansShown = 50;

// Numbers of the server's; "" is one that it does not know.
const known = (digits, show) => (digits === '' ? say('unknown') : show(Number(digits)));

const actionsFor = (files, action) => Object.fromEntries(files.map((file) => [file, action]));

// The bytes as a hex dump: offset, digits, letters.
function dump(digits) {
    const lines = [];
    for (let at = 0; at < digits.length; at += 32) {
        const bytes = digits.slice(at, at + 32).match(/../g);
        const letters = bytes.map((byte) => {
            const code = parseInt(byte, 16);
            return code > 0x1f && code < 0x7f ? String.fromCharCode(code) : '.';
        });
        lines.push(`${(at / 2).toString(16).padStart(8, '0')}  ${bytes.join(' ').padEnd(47)}  ${letters.join('')}`);
    }
    return lines.join('\n');
}

async function lookInside({file, virus_type: signature, changed, first_found: first, time: last}) {
    const {data, warnings} = await call('view_infected_file', {path: file});
    const isText = data.encoding === 'text';
    await ask('look.heading', [
        make('p', {}, foreign(file)), make('p', {}, foreign(signature)),
        (warnings ?? []).map((sentence) => serverSays(sentence, 'p')),
        make('p', {}, say(isText ? 'look.text' : 'look.hex'), ' ', say('look.size', {size: sizeText(data.size)}), ' ',
            data.cut ? say('look.cut') : ''),
        told('p', 'look.times', {changed: known(changed, time), first: known(first, time), last: known(last, time)}),
        make('pre', {tabindex: '0', dir: 'ltr', class: 'foreign inside', role: 'region', 'aria-label': say('look.content')},
            isText ? visibleLines(data.content) : dump(data.content)),
    ], [['', 'close', 'first']]);
}

function plan(steps, total) {
    return [told('p', 'delete.plan', {n: total}),
        make('ul', {class: 'plan', tabindex: '0', role: 'list'}, steps.slice(0, mostPlansShown).map((step) =>
            make('li', {}, foreign(step.file), ': ',
                knows(`state.plan.${step.state}`) ? say(`state.plan.${step.state}`) : say(`state.${step.state}`),
                step.message ? [' – ', serverSays(step.message)] : null))),
        total > mostPlansShown ? told('p', 'delete.more', {n: total - mostPlansShown}) : null];
}

// What the owner wants after having been asked twice: "delete", "quarantine", or "".
async function askForDeletion(files) {
    const steps = [];
    for (const batch of batchesOf(files))
        steps.push(...(await call('disinfect_files', {actions: actionsFor(batch, 'delete'), dry_run: 1})).data);
    const first = await ask('delete.heading', plan(steps, files.length),
        [['quarantine', 'delete.instead', 'first'], ['', 'cancel'], ['delete', 'delete.continue', 'danger']]);
    if (first !== 'delete') return first;
    return ask('delete.sure.heading', [told('p', 'delete.sure', {n: files.length})],
        [['', 'cancel', 'first'], ['quarantine', 'delete.instead'], ['delete', 'delete.do', 'danger']]);
}

class Finds {
    constructor(place, signal) {
        this.signal = signal;
        this.isBusy = false;
        this.steps = make('div', {});
        this.quarantine = button('finds.quarantine', () => this.act('quarantine'), {class: 'first', id: 'quarantine'});
        this.ignore = button('finds.ignore', () => this.act('ignore'), {id: 'ignore'});
        this.remove = button('finds.delete', () => this.act('delete'), {class: 'danger', id: 'delete'});
        this.table = new PagedTable({
            list: 'list_infected_files', labelKey: 'view.finds', noneKey: 'finds.none', sort: 'file',
            numeric: ['size', 'first_found'], nameOf: (row) => row.file, idOf: (row) => row.file,
            onChoice: () => this.enable(),
            columns: [{key: 'file', cell: (row) => foreign(row.file)},
                {key: 'virus_type', cell: (row) => [make('span', {class: 'kind'}, say(kindOf(row.virus_type))),
                    foreign(row.virus_type, {class: 'foreign signature'})]},
                {key: 'size', cell: (row) => known(row.size, sizeText)},
                {key: 'first_found', cell: (row) => known(row.first_found, time)}],
            actions: (row) => button('finds.look', () => lookInside(row).catch(complain),
                {'aria-label': say('finds.look_at', {name: nameText(row.file)})}),
        });
        place.append(told('p', 'finds.default'), make('div', {class: 'buttons'}, this.quarantine, this.ignore, this.remove),
            this.steps, this.table.element);
        this.enable();
    }

    enable() {
        const isOff = this.isBusy || this.table.chosenCount === 0;
        for (const one of [this.quarantine, this.ignore, this.remove]) one.disabled = isOff;
    }

    async act(action) {
        this.isBusy = true;
        this.enable();
        try {
            if (this.table.allChosen) announce('finds.collecting');
            const files = await this.table.chosenIds('file');
            if (action === 'ignore') {
                await this.haveIgnored(files);
            } else {
                const wanted = action === 'delete' ? await askForDeletion(files) : action;
                if (wanted !== '') await this.disinfect(files, wanted);
            }
        } catch (error) {
            complain(error);
        }
        this.isBusy = false;
        this.enable();
        keepFocus(this.table.body);
    }

    async haveIgnored(files) {
        const rows = await ignoreFiles(files);
        if (rows === null) return;
        update(this.steps, make('section', {role: 'status'}, sumUp(rows, 'ignored', 'ignore.done')));
        this.table.choose(null);
        await this.table.load();
    }

    // To the end, whichever part of the page is shown meanwhile.
    async disinfect(files, action) {
        const {signal} = new AbortController();
        const batches = batchesOf(files);
        for (const [i, batch] of batches.entries()) {
            await call('disinfect_files', {actions: actionsFor(batch, action)});
            const part = batches.length > 1 ? {part: i + 1, parts: batches.length} : null;
            await watchSteps(this.steps, signal, {total: batch.length, part});
        }
        this.table.choose(null);
        if (!this.signal.aborted) await this.table.load();
    }
}

export function showFinds(place, signal) {
    const finds = new Finds(place, signal);
    watchSteps(finds.steps, signal, {onlyIfRunning: true}).then((shown) => shown && finds.table.load()).catch(complain);
    return finds.table.load();
}
