// What an owner wants to know first: how it stands, what goes on, and what to do next.
import {call, count, Refused, user} from './api.js';
import {announce, button, foreign, make, queuePlace, serverSays, time, told, update} from './dom.js';
import {scopeOf} from './lists.js';
import {clearProblems, complain} from './problems.js';
import {bar, line} from './pictures.js';
import {watchSteps} from './steps.js';
import {knows, phrase, say} from './words.js';

const shortestPause = 1000;  // milliseconds between two looks
const pauseFactor = 4;       // of what a look took
const scansInPicture = 60;

const pause = (milliseconds, signal) => new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener('abort', () => {
        clearTimeout(timer);
        resolve();
    }, {once: true});
});

const isUnderWay = (scan) => scan !== undefined && ['queued', 'running'].includes(scan.result);

// Whether both say the same of the same scan.
const agree = (one, other) => ['time_started', 'scan_complete'].every((name) => one.data[name] === other.data[name]) &&
    one.data.infected_files.length === other.data.infected_files.length;

// All that the verdict needs, or null where the answers are of different moments: they are asked for one after the other,
// and a scan may begin or end in between.
async function look() {
    const status = await call('get_scan_status');
    const [scans, infected, unscanned, ignored] = await Promise.all([
        call('list_history', {'api.filter_column': 'action', 'api.filter_type': 'begins', 'api.filter_term': 'scan',
            'api.paginate_start': 1, 'api.paginate_size': scansInPicture}),
        count('list_infected_files'), count('list_unscanned_files'), count('list_ignored_files', {found: '1'})]);
    const isRunning = status.data.scan_complete === 0;
    if (!isRunning && (isUnderWay(scans.data[0]) || !agree(status, await call('get_scan_status')))) return null;
    return {...status.data, queue: status.metadata, messages: status.messages ?? [], warnings: status.warnings ?? [],
        scans: scans.data, scan: scans.data[0] ?? null, infected, unscanned, ignored,
        found: status.data.infected_files.length, isRunning, wasStarted: status.data.time_started !== ''};
}

const scopeText = (seen) => (seen.scan && scopeOf(seen.scan.action)) ?? say('scope.unknown');

// The one sentence: [the key of a text, its values, how it stands]. Never "clean" where anything was left out.
export function verdictOf(seen) {
    const scope = scopeText(seen);
    if (!seen.wasStarted) return ['verdict.never', {}, 'unknown'];
    if (seen.isRunning) return [seen.scan?.result === 'queued' ? 'verdict.queued' : 'verdict.running', {scope}, 'busy'];
    if (seen.infected > 0) return ['verdict.infected', {n: seen.infected}, 'bad'];
    if (seen.found > 0) return ['verdict.handled', {n: seen.found}, 'unknown'];
    if (seen.unscanned > 0) return ['verdict.unscanned', {n: seen.unscanned}, 'unknown'];
    if (seen.scan?.result !== 'completed') return ['verdict.early', {}, 'unknown'];
    if (seen.warnings.length > 0) return ['verdict.warned', {}, 'unknown'];
    if (seen.total_file_count === 0) return ['verdict.empty', {}, 'unknown'];
    if (seen.ignored > 0) return ['verdict.ignored', {n: seen.ignored}, 'unknown'];
    return ['verdict.clean', {n: seen.total_file_count}, 'good'];
}

function verdict(seen) {
    const [key, values, state] = verdictOf(seen);
    const also = seen.ignored > 0 && !['verdict.ignored', 'verdict.never'].includes(key);
    const lines = [make('p', {class: 'sentence', id: 'verdict'}, phrase(key, values),
        also ? [' ', phrase('verdict.also_ignored', {n: seen.ignored})] : null)];
    if (seen.isRunning && seen.infected > 0) lines.push(told('p', 'verdict.so_far', {n: seen.infected}));
    if (seen.unscanned > 0 && !['verdict.unscanned', 'verdict.never'].includes(key))
        lines.push(told('p', 'verdict.also_unscanned', {n: seen.unscanned}));
    if (!seen.isRunning && seen.scan?.ended)
        lines.push(told('p', 'verdict.when', {scope: scopeText(seen), time: time(Number(seen.scan.ended))}));
    lines.push(queuePlace(seen.queue));
    if (seen.isRunning) lines.push(told('p', 'verdict.began', {time: time(Number(seen.time_started))}));
    const links = [];
    if (seen.infected > 0) links.push(make('a', {href: '#finds'}, say('verdict.look')));
    if (seen.unscanned > 0) links.push(make('a', {href: '#unscanned'}, say('verdict.why_unscanned')));
    if (seen.ignored > 0) links.push(make('a', {href: '#ignored'}, say('verdict.see_ignored')));
    if (links.length > 0) lines.push(make('p', {class: 'links'}, links));
    return make('section', {class: `verdict ${state}`, 'aria-labelledby': 'verdict-heading'},
        told('h3', 'verdict.heading', {}, {id: 'verdict-heading'}), lines);
}

// What the page says in words of its own.
const ofQueue = /^The scan waits for its turn:/;

function notes(seen) {
    const sentences = [...new Set(seen.messages)].filter((sentence) => !ofQueue.test(sentence));
    if (sentences.length === 0) return null;
    return make('section', {}, told('h3', 'notes.heading'),
        make('ul', {class: 'notes'}, sentences.map((sentence) =>
            make('li', {class: seen.warnings.includes(sentence) ? 'warning' : null}, serverSays(sentence)))));
}

function picture(seen) {
    const scanned = Math.max(0, seen.scanned_file_count - seen.found - seen.unscanned - seen.ignored);
    const waiting = Math.max(0, seen.total_file_count - seen.scanned_file_count);
    const parts = [['clean', scanned], ['infected', seen.found], ['unscanned', seen.unscanned],
        ['ignored', seen.ignored], ['waiting', waiting]];
    const always = ['clean', 'infected', 'unscanned'];
    return seen.wasStarted ? bar(parts.filter(([name, files]) => always.includes(name) || files > 0)) : null;
}

function findsOverTime(seen) {
    const finds = seen.scans.filter(({result}) => result !== 'queued' && result !== 'running')
        .map(({message}) => /(?:^|, )(\d+) infected/.exec(message)?.[1]).filter((found) => found !== undefined);
    return line(finds.map(Number).reverse());
}

const nextSteps = ['quarantine', 'passwords', 'update', 'uploads', 'users', 'backup', 'scan'];

function whatNext(seen) {
    if (seen.found === 0 && seen.infected === 0) return null;
    return make('section', {}, told('h3', 'next.heading'), told('p', 'next.why'),
        make('ol', {}, nextSteps.map((step) => told('li', `next.${step}`))));
}

function progress(seen) {
    const isCounted = seen.total_file_count > 0;
    const label = say('scan.progress');
    const meter = isCounted
        ? make('progress', {'aria-label': label, max: seen.total_file_count, value: seen.scanned_file_count})
        : make('progress', {'aria-label': label});
    return [meter,
        isCounted ? told('p', 'scan.count', {done: seen.scanned_file_count, total: seen.total_file_count}, {id: 'scan-count'})
            : 'jobs_before' in seen.queue ? null : told('p', 'scan.counting'),
        seen.current_file ? told('p', 'scan.current', {file: foreign(seen.current_file)}, {class: 'current'}) : null,
        told('p', 'scan.closable')];
}

class Overview {
    constructor(place, signal) {
        this.signal = signal;
        this.live = make('div', {});
        this.scan = make('section', {});
        this.steps = make('div', {});
        this.rest = make('div', {});
        this.wasRunning = null;
        this.turn = 0;
        place.append(this.live, this.scan, this.steps, this.rest,
            make('p', {}, button('export', () => this.save().catch(complain), {id: 'export'})));
    }

    // A later call takes the place of an earlier one.
    async watch() {
        const turn = ++this.turn;
        const isOver = () => this.signal.aborted || turn !== this.turn;
        // What is said of the finds is another thing once they have been dealt with.
        watchSteps(this.steps, this.signal, {onlyIfRunning: true})
            .then((shown) => (shown && !isOver() ? this.watch() : null)).catch(complain);
        const paths = (await call('get_scan_paths')).data;
        while (!isOver()) {
            const begun = performance.now();
            let wait = 0;
            try {
                const seen = await look();
                if (isOver()) return;
                clearProblems();
                if (seen !== null) {
                    await this.show(seen, paths);
                    if (!seen.isRunning) return;
                }
            } catch (error) {
                if (!(error instanceof Refused) || ![0, 429, 503].includes(error.status)) throw error;
                complain(error);
                wait = 1000 * Math.max(error.retrySeconds, 2);
            }
            await pause(Math.max(shortestPause, wait, pauseFactor * (performance.now() - begun)), this.signal);
        }
    }

    async show(seen, paths) {
        update(this.live, verdict(seen), picture(seen));
        if (seen.isRunning !== this.wasRunning) this.showScan(seen, paths);
        if (seen.isRunning) update(this.progress, progress(seen));
        if (this.wasRunning && !seen.isRunning) announce('scan.over');
        this.wasRunning = seen.isRunning;
        update(this.rest, notes(seen), whatNext(seen), findsOverTime(seen));
    }

    showScan(seen, paths) {
        const hadFocus = this.scan.contains(document.activeElement);
        this.progress = make('div', {class: 'progress'});
        if (seen.isRunning)
            this.scan.replaceChildren(told('h3', 'scan.progress', {}, {id: 'scan-heading'}), this.progress,
                button('scan.cancel', () => this.cancel().catch(complain), {id: 'cancel-scan'}));
        else
            this.scan.replaceChildren(told('h3', 'scan.heading', {}, {id: 'scan-heading'}), this.startForm(paths));
        // Not before it has that heading: a section whose name is nowhere is none.
        this.scan.setAttribute('aria-labelledby', 'scan-heading');
        if (hadFocus) this.scan.querySelector('button')?.focus();
    }

    startForm(paths) {
        if (paths.length === 0) return told('p', 'scan.none');
        const select = make('select', {id: 'scan-type'}, paths.map(({id, message}) =>
            make('option', {value: id, class: knows(`scope.${id}`) ? null : 'server-says'},
                knows(`scope.${id}`) ? say(`scope.${id}`) : message)));
        const full = make('input', {type: 'checkbox', id: 'scan-full'});
        const form = make('form', {class: 'scan'}, make('label', {for: select.id}, say('scan.what')), select,
            make('span', {class: 'box'}, full, make('label', {for: full.id}, say('scan.full'))),
            make('button', {type: 'submit', class: 'first', id: 'start-scan'}, say('scan.start')));
        form.addEventListener('submit', (event) => {
            event.preventDefault();
            this.start(select.value, full.checked).catch(complain);
        });
        return form;
    }

    async start(type, isFull) {
        await call('start_scan', {scan_type: type, full: isFull ? 1 : 0});
        clearProblems();
        announce('scan.started');
        this.showScan({isRunning: true}, []);
        this.progress.append(told('p', 'scan.counting'));
        this.wasRunning = true;
        this.watch().catch(complain);
    }

    async cancel() {
        await call('cancel_scan');
        announce('scan.cancelled');
    }

    async save() {
        const [status, ...lists] = await Promise.all(['get_scan_status', 'list_infected_files', 'list_unscanned_files',
            'list_quarantined_files', 'list_ignored_files', 'list_history', 'get_schedule',
            'get_notifications'].map((name) => call(name)));
        const document_ = {account: user(), saved: new Date().toISOString(), status: status.data,
            messages: status.messages ?? [], infected_files: lists[0].data, unscanned_files: lists[1].data,
            quarantined_files: lists[2].data, ignored_files: lists[3].data, history: lists[4].data,
            schedule: lists[5].data, notifications: lists[6].data};
        const address = URL.createObjectURL(new Blob([JSON.stringify(document_, null, 2)], {type: 'application/json'}));
        make('a', {href: address, download: `virus-scan-${new Date().toISOString().slice(0, 10)}.json`}).click();
        setTimeout(() => URL.revokeObjectURL(address), 60_000);
        announce('export.ready');
    }
}

export function showOverview(place, signal) {
    const overview = new Overview(place, signal);
    overview.live.append(told('p', 'loading'));
    return overview.watch();
}
