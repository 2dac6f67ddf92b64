// An owner at a browser: opens the page, logs in, does what owners do. Remembers whatever the browser complains of.
import assert from 'node:assert/strict';
import {mkdirSync, readFileSync} from 'node:fs';
import {createRequire} from 'node:module';
import {join} from 'node:path';
import {setTimeout} from 'node:timers/promises';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
// Of a refused request the browser itself says so; what the page says of it is looked at.
const expected = /Failed to load resource: the server responded with a status of 401/;

export class Visitor {
    constructor(browser, order) {
        Object.assign(this, {browser, order, complaints: [], page: null, unanswered: 0});
    }

    async open({hash = '', query = '', width = 1280, height = 900, ...options} = {}) {
        // The page's policy forbids what the checks put into it.
        const context = await this.browser.newContext({viewport: {width, height}, bypassCSP: options.bypassCSP ?? false,
            colorScheme: options.colorScheme ?? 'light', reducedMotion: 'reduce', acceptDownloads: true});
        const page = this.page = await context.newPage();
        page.setDefaultTimeout(60_000);
        page.on('pageerror', (error) => this.complaints.push(String(error)));
        page.on('dialog', (dialog) => {
            this.complaints.push(`a dialog: ${dialog.message()}`);
            dialog.dismiss();
        });
        page.on('console', (message) => {
            if (['error', 'warning'].includes(message.type()) && !expected.test(message.text()))
                this.complaints.push(message.text());
        });
        page.on('request', (request) => {
            if (!request.url().startsWith(this.order.base) && !/^(blob|data):/.test(request.url()))
                this.complaints.push(`a request elsewhere: ${request.url()}`);
        });
        page.on('request', () => { this.unanswered++; });
        for (const end of ['requestfinished', 'requestfailed']) page.on(end, () => { this.unanswered--; });
        await page.goto(`${this.order.base}${this.order.prefix ?? ''}/ClamScanner/${query}${hash}`);
        return page;
    }

    async logIn(password = this.order.password) {
        await this.page.locator('#user').fill(this.order.user);
        await this.page.locator('#password').fill(password);
        await this.page.locator('form.login button').click();
    }

    async enter(options) {
        const page = await this.open(options);
        await this.logIn();
        await page.locator('#to-overview').waitFor();
        return page;
    }

    // Until the page has asked all that it asks by itself.
    async quiet() {
        for (let looks = 0; looks < 5; looks = this.unanswered > 0 ? 0 : looks + 1) await this.page.waitForTimeout(100);
    }

    // To a part of the page, when it is there.
    async go(view) {
        await this.page.locator(`#to-${view}`).click();
        await this.page.locator(`#to-${view}[aria-current=page]`).waitFor();
        if (view === 'overview') await this.page.locator('#verdict').waitFor();
        else if (view === 'settings') await this.page.locator('#schedule-is').waitFor();
        else await this.page.locator('.table:not([aria-busy]) > *').first().waitFor();
    }

    async picture(name) {
        mkdirSync(this.order.pictures, {recursive: true});
        await this.page.screenshot({path: join(this.order.pictures, `${name}.png`), fullPage: true});
    }

    async scan(type = 'home') {
        await this.go('overview');
        await this.page.locator('#scan-type').selectOption(type);
        await this.page.locator('#start-scan').click();
        // It shows at once that the scan was started.
        await this.page.locator('#scan-type').waitFor({state: 'detached'}).catch(() => {});
        await this.page.locator('#start-scan').waitFor({timeout: 60_000});
    }

    // What another client of the same owner's is answered.
    async askElsewhere(name, values = {}, module = 'ClamScanner') {
        const {base, user, password} = this.order;
        const headers = {'Authorization': `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`,
            'Content-Type': 'application/json'};
        const response = await fetch(`${base}/execute/${module}/${name}`,
            {method: 'POST', headers, body: JSON.stringify(values)});
        return (await response.json()).data;
    }

    // A scan by another client, to its end.
    async scanElsewhere() {
        await this.askElsewhere('start_scan', {scan_type: 'home'});
        while ((await this.askElsewhere('get_scan_status')).scan_complete === 0) await setTimeout(100);
    }

    async quarantineElsewhere(path) {
        await this.askElsewhere('disinfect_files', {actions: {[path]: 'quarantine'}});
        while ((await this.askElsewhere('check_disinfection_status')).status !== 'done') await setTimeout(100);
    }

    // Nothing that the page keeps or shows has the password in it.
    async checkThatThePasswordIsGone() {
        const kept = await this.page.evaluate(() =>
            JSON.stringify({...sessionStorage, ...localStorage, cookie: document.cookie}) +
            document.documentElement.outerHTML + [...document.querySelectorAll('input')].map(({value}) => value).join(' '));
        assert(!kept.includes(this.order.password), 'the password is still there');
    }

    // Fills in the dialog that asks for the password, and confirms it.
    async confirm(password = this.order.password) {
        await this.page.locator('#password-again').fill(password);
        await this.page.locator('#answer-confirm').click();
    }

    // Of the files that are chosen.
    async ignore(reason, life = '90') {
        await this.page.locator('#ignore').click();
        await this.page.locator('#ignore-reason').fill(reason);
        await this.page.locator('#ignore-life').selectOption(life);
        await this.confirm();
        await this.page.locator('dialog').waitFor({state: 'detached'});
    }

    // Has the list that is shown asked for again, until it is as it should be.
    async askUntil(condition) {
        for (const end = Date.now() + 20_000; !await condition();) {
            assert(Date.now() < end, 'the list does not become what it should be');
            await this.page.waitForTimeout(200);
            await this.page.locator('.toolbar button').click();
            await this.page.locator('.table:not([aria-busy])').waitFor();
        }
    }

    verdict() {
        return this.page.locator('#verdict').textContent();
    }

    async rows() {
        return this.page.locator('tbody tr').count();
    }

    // What axe finds wrong: "rule: element".
    async violations() {
        await this.page.evaluate(axe);
        const {violations} = await this.page.evaluate(() => globalThis.axe.run(document, {
            runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']}));
        return violations.flatMap(({id, nodes}) => nodes.map(({target, failureSummary}) =>
            `${id}: ${target.join(' ')}: ${failureSummary}`));
    }

    checkThatNothingBroke() {
        assert.deepEqual(this.complaints, []);
    }
}
