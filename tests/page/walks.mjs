// The walks that page_test.py has a browser take. Each gets a visitor and its order.
import assert from 'node:assert/strict';
import {appendFileSync, existsSync, readFileSync, statSync, writeFileSync} from 'node:fs';

const rowOf = (page, name) => page.locator('tbody tr').filter({hasText: name});

// A first login, wrong and right; nothing has been scanned. The password stays nowhere.
export async function firstVisit(visitor) {
    const page = await visitor.open();
    assert.equal(await page.title(), 'Log in – Virus scanner');
    await visitor.logIn('not the password');
    await page.getByText('The name or the password is wrong.').waitFor();
    await visitor.logIn();
    await page.locator('#verdict').waitFor();
    assert.equal(await visitor.verdict(), 'Your files have never been scanned.');
    await visitor.picture('never-scanned');
    await visitor.checkThatThePasswordIsGone();
    // The session survives a reload, and ends with the tab.
    await page.reload();
    await page.locator('#verdict').waitFor();
    const other = await page.context().newPage();
    await other.goto(page.url());
    await other.locator('form.login').waitFor();
    return {session: JSON.parse(await page.evaluate(() => sessionStorage.getItem('clamscanner.session')))};
}

// Scan, look, filter, quarantine, delete, restore, lists, export, log out.
export async function day(visitor, {found, text, doomed, moved, encrypted}) {
    const page = await visitor.enter();
    await visitor.scan();
    const sentence = `${found.length} infected files were found and are still there. They need your decision.`;
    assert.equal(await visitor.verdict(), sentence);
    await page.getByText('Besides, 1 file could not be scanned.').waitFor();
    await page.getByText('Change the passwords of the account').waitFor();
    await visitor.picture('infected');

    await page.getByText('Look at the infected files').click();
    await page.locator('tbody tr').first().waitFor();
    assert.equal(await visitor.rows(), found.length);
    await visitor.picture('finds');

    await sizeAndTimeOfFinds(page, found);
    await rowOf(page, text.path).getByRole('button').click();
    assert.equal(await page.locator('pre.inside').textContent(), text.content);
    const times = await page.locator('dialog p').filter({hasText: 'The file was last changed: '}).textContent();
    assert.equal(times.match(/: \w+ \d+, \d{4}, \d+:\d\d [AP]M\./g)?.length, 3, times);
    await visitor.picture('look-inside-text');
    await page.keyboard.press('Escape');
    await page.locator('dialog').waitFor({state: 'detached'});
    await rowOf(page, doomed).getByRole('button').click();
    assert.match(await page.locator('pre.inside').textContent(), /^00000000 {2}00 01 ff /);
    await visitor.picture('look-inside-hex');
    await page.locator('#answer-').click();

    await page.locator('#filter-list_infected_files').fill('/doomed');
    await page.getByRole('button', {name: 'Show', exact: true}).click();
    await page.getByText('1 to 1 of 1').waitFor();
    assert.equal(await visitor.rows(), 1);
    await deleteAfterTwoQuestions(visitor, doomed);
    await page.locator('#filter-list_infected_files').fill('');
    await page.getByRole('button', {name: 'Show', exact: true}).click();
    await page.getByText(`1 to ${found.length - 1} of ${found.length - 1}`).waitFor();

    await page.locator('#sort-file').click();
    await page.locator('th[aria-sort=descending]').waitFor();
    const names = await page.locator('td.cell-file').allTextContents();
    assert.deepEqual(names, [...names].sort().reverse());

    await rowOf(page, moved).getByRole('checkbox').check();
    await page.locator('#quarantine').click();
    await page.getByText('All has been done: 1 step.').waitFor();
    await page.getByText(`1 to ${found.length - 2} of ${found.length - 2}`).waitFor();
    assert(!existsSync(moved));
    await visitor.picture('quarantined');

    await visitor.go('quarantine');
    await visitor.picture('quarantine');
    await rowOf(page, moved).getByText('30 days left').waitFor();
    await rowOf(page, moved).getByRole('checkbox').check();
    await page.locator('#restore').click();
    await page.locator('#answer-restore').click();
    await page.getByText('The quarantine is empty.').waitFor();
    assert(existsSync(moved));

    await visitor.go('unscanned');
    await rowOf(page, encrypted).getByText('encrypted: nobody can look into it').waitFor();
    await visitor.picture('unscanned');
    await visitor.go('history');
    assert.equal(await visitor.rows(), 4);
    await visitor.picture('history');

    await visitor.go('overview');
    const [download] = await Promise.all([page.waitForEvent('download'), page.locator('#export').click()]);
    const saved = JSON.parse(readFileSync(await download.path(), 'utf8'));
    await page.locator('#log-out').click();
    await page.getByText('You are logged out.').waitFor();
    return {saved, name: download.suggestedFilename()};
}

// Both columns, in words and in order.
async function sizeAndTimeOfFinds(page, found) {
    const bytes = new Map(found.map((path) => [path, statSync(path).size]));
    for (const [path, size] of bytes)
        assert.equal(await rowOf(page, path).locator('td.cell-size').textContent(), `${size} bytes`);
    for (const seen of await page.locator('td.cell-first_found time').all()) {
        assert(Math.abs(Date.parse(await seen.getAttribute('datetime')) - Date.now()) < 600_000);
        assert.match(await seen.textContent(), /^\w+ \d+, \d{4}, \d+:\d\d.[AP]M$/);
    }
    assert.equal(await page.locator('td.cell-first_found time').count(), found.length);
    assert.equal(await page.locator('#sort-first_found').textContent(), 'Found first');
    const bySize = [...bytes.values()].sort((one, other) => one - other).map((size) => `${size} bytes`);
    for (const [sort, order] of [['ascending', bySize], ['descending', bySize.toReversed()]]) {
        await page.locator('#sort-size').click();
        await page.locator(`th[aria-sort=${sort}]:has(#sort-size)`).waitFor();
        assert.deepEqual(await page.locator('td.cell-size').allTextContents(), order);
    }
    await page.locator('#sort-file').click();
    await page.locator('th[aria-sort=ascending]:has(#sort-file)').waitFor();
}

// What the server does not know of a find is no number.
export async function unknownFacts(visitor, {path}) {
    const page = await visitor.enter();
    await visitor.go('finds');
    for (const key of ['size', 'first_found'])
        assert.equal(await rowOf(page, path).locator(`td.cell-${key}`).textContent(), 'unknown');
    await rowOf(page, path).getByRole('button').click();
    await page.getByText('The file was last changed: unknown. It was first found: unknown.').waitFor();
}

async function deleteAfterTwoQuestions(visitor, path) {
    const {page} = visitor;
    await rowOf(page, path).getByRole('checkbox').check();
    // Out of either question nothing comes but by its last button; the focus is on a harmless one.
    for (const answers of [['Escape'], ['#answer-delete', 'Escape'], ['#answer-delete', 'Enter']]) {
        await page.locator('#delete').click();
        await page.locator('dialog .plan').waitFor();
        for (const answer of answers)
            if (answer.startsWith('#')) {
                await page.locator(answer).click();
                await page.locator('dialog:not(:has(.plan))').waitFor();
            } else {
                await page.keyboard.press(answer);
            }
        await page.locator('dialog').waitFor({state: 'detached'});
        assert(existsSync(path));
    }
    await page.locator('#delete').click();
    await page.locator('dialog .plan li').filter({hasText: path}).getByText('would be deleted').waitFor();
    await visitor.picture('delete-plan');
    await page.locator('#answer-delete').click();
    await page.getByText('1 file will be gone, and nobody can bring it back.').waitFor();
    assert(existsSync(path));
    await visitor.picture('delete-sure');
    await page.locator('#answer-delete').click();
    await page.getByText('All has been done: 1 step.').waitFor();
    assert(!existsSync(path));
}

const isIgnored = (n) => `${n} infected file${n === 1 ? ' is' : 's are'} ignored, as you or your administrator asked.`;

// A find that is fine: ignored with the password, seen, found again, ignored once more, and found when it changes.
export async function ignoring(visitor, {wrong, bad, password}) {
    const page = await visitor.enter();
    await visitor.scan();
    await visitor.go('finds');
    assert.equal(await visitor.rows(), 2);
    await refusedToIgnore(visitor, wrong);

    await rowOf(page, wrong).getByRole('checkbox').check();
    await visitor.ignore('ours, and fine', '30');
    await page.getByText('1 file is ignored.').waitFor();
    await page.getByText('1 to 1 of 1').waitFor();
    await rowOf(page, bad).waitFor();
    await visitor.checkThatThePasswordIsGone();
    await visitor.picture('ignored-a-find');
    await visitor.go('overview');
    assert.equal(await visitor.verdict(),
        `1 infected file was found and is still there. It needs your decision. Besides, ${isIgnored(1)}`);

    await visitor.go('finds');
    await rowOf(page, bad).getByRole('checkbox').check();
    await page.locator('#quarantine').click();
    await page.getByText('The list of infected files is empty.').waitFor();
    await visitor.scan();
    assert.equal(await visitor.verdict(), `Nothing else was found, but ${isIgnored(1)}`);
    assert.doesNotMatch(await page.locator('section.verdict').textContent(), /clean/i);
    await page.locator('.legend').getByText('Ignored: 1').waitFor();
    await visitor.picture('ignored-overview');

    await page.getByText('See what is ignored').click();
    const row = rowOf(page, wrong);
    for (const text of ['ours, and fine', 'You, with your password', '127.0.0.1', 'Harmful file'])
        await row.getByText(text).waitFor();
    const until = Date.parse(await row.locator('.cell-expires time').getAttribute('datetime'));
    assert(Math.abs(until - Date.now() - 30 * 24 * 3600 * 1000) < 600_000, 'ignored for 30 days');
    await visitor.picture('ignored');
    await findAgain(visitor, wrong);

    await visitor.go('finds');
    await visitor.askUntil(async () => (await page.locator('.table').textContent()).includes(wrong));
    await rowOf(page, wrong).getByRole('checkbox').check();
    await visitor.ignore('still ours', '0');
    await page.getByText('The list of infected files is empty.').waitFor();
    appendFileSync(wrong, 'changed');
    await visitor.scan();
    assert.match(await visitor.verdict(), /^1 infected file was found and is still there\. It needs your decision\.$/);
    await visitor.go('ignored');
    await rowOf(page, wrong).getByText('The last scan did not meet it.').waitFor();
    assert.equal(await rowOf(page, wrong).locator('.cell-expires').textContent(), 'for ever');
    assert.deepEqual((await historyOf(visitor)).filter(([action]) => /[Ii]gnoring/.test(action)).map((row) => row.join(' | ')), [
        `Ignoring of infected files | completed | 1 file: ${wrong} (Test-Wrong-1.UNOFFICIAL); for ever; reason: still ours` +
            ' | You, with your password 127.0.0.1',
        `End of ignoring | completed | 1 content: that of ${wrong} (Test-Wrong-1.UNOFFICIAL) | You, on this page 127.0.0.1`,
        `Ignoring of infected files | completed | 1 file: ${wrong} (Test-Wrong-1.UNOFFICIAL); until ` +
            `${new Date(until).toISOString().slice(0, 16).replace('T', ' ')} UTC; reason: ours, and fine` +
            ' | You, with your password 127.0.0.1']);
    assert(!(await page.content()).includes(password));
}

// The rows of the history, the latest first: what, how it ended, details, who.
async function historyOf(visitor) {
    await visitor.go('history');
    return visitor.page.locator('tbody tr').evaluateAll((rows) => rows.map((row) =>
        ['action', 'result', 'message', 'by'].map((name) => row.querySelector(`.cell-${name}`).textContent)));
}

// A scan in the queue says how many jobs come before it, once and in the page's own words.
export async function waitingForItsTurn(visitor, {start, place}) {
    const page = await visitor.enter();
    await page.locator('#verdict').waitFor();
    if (start) await page.locator('#start-scan').click();
    await page.locator('section.verdict').getByText(place, {exact: true}).waitFor();
    assert.equal(await visitor.verdict(), 'A scan of the whole home directory waits for its turn.');
    assert.doesNotMatch(await page.locator('main').textContent(), /The scan waits|Counting the files/);
    await visitor.picture(start ? 'waiting' : 'waiting-next');
}

// It runs, and then says so no longer.
export async function nobodyBefore(visitor) {
    const page = await visitor.enter();
    await page.locator('#start-scan').waitFor({timeout: 60_000});
    assert.match(await visitor.verdict(), /^Clean: /);
    assert.doesNotMatch(await page.locator('main').textContent(), /[Aa]t the moment/);
}

// Without a reason, without the password, with a wrong one, and when the owner thinks better of it, nothing is ignored.
async function refusedToIgnore(visitor, path) {
    const {page} = visitor;
    await rowOf(page, path).getByRole('checkbox').check();
    await page.locator('#ignore').click();
    await page.getByText('A file that changes, or that is found by another name, is found again.').waitFor();
    await page.locator('dialog .plan').getByText(path).waitFor();
    await page.locator('#answer-confirm').click();
    await page.getByText('Please fill in: Why it is harmless').waitFor();
    await page.locator('#ignore-reason').fill('a reason');
    await page.locator('#answer-confirm').click();
    await page.getByText('Please fill in: Your password').waitFor();
    await visitor.confirm('not the password');
    await page.locator('dialog').getByText('The password is wrong.').waitFor();
    assert.equal(await page.locator('#password-again').inputValue(), '');
    await visitor.picture('ignore-wrong-password');
    await page.locator('#password-again').fill(visitor.order.password);
    await page.locator('#answer-cancel').click();
    await page.locator('dialog').waitFor({state: 'detached'});
    await visitor.checkThatThePasswordIsGone();
    // It is still logged in.
    await visitor.go('ignored');
    await page.getByText('Nothing is ignored.').waitFor();
    await visitor.go('finds');
    assert.equal(await visitor.rows(), 2);
}

async function findAgain(visitor, path) {
    const {page} = visitor;
    await rowOf(page, path).getByRole('checkbox').check();
    await page.locator('#find-again').click();
    await page.getByText('1 is no longer ignored.').waitFor();
    await page.getByText('Nothing is ignored.').waitFor();
}

// Two files of one content are ignored together, and found again together.
export async function copiesAreIgnoredTogether(visitor, {wrong, copy}) {
    const page = await visitor.enter();
    await visitor.go('finds');
    await rowOf(page, wrong).getByRole('checkbox').check();
    await visitor.ignore('ours');
    await page.getByText('1 file is ignored.').waitFor();
    await visitor.askUntil(async () =>
        await page.locator('.table').textContent() === 'The list of infected files is empty.');
    await visitor.go('ignored');
    assert.equal(await visitor.rows(), 2);
    await rowOf(page, copy).getByRole('checkbox').check();
    assert(await rowOf(page, wrong).getByRole('checkbox').isChecked(), 'what is ended together is chosen together');
    await page.locator('#find-again').click();
    await page.getByText('Nothing is ignored.').waitFor();
}

// A promise, and what keeps it.
function promise() {
    let keep;
    const made = new Promise((resolve) => { keep = resolve; });
    return {made, keep};
}

// The next answer of this function waits until giveNow() is called; `change` may make another of it. `held` comes when
// the server has answered.
async function holdBack(page, name, change = (answer) => answer) {
    const [held, released, given] = [promise(), promise(), promise()];
    let instead = {};
    await page.route(`**/${name}`, async (route) => {
        const response = await route.fetch();
        const json = change(await response.json());
        held.keep();
        await released.made;
        await route.fulfill({response, json, ...instead});
        given.keep();
    }, {times: 1});
    return {held: held.made, async giveNow(changes = {}) {
        instead = changes;
        released.keep();
        await given.made;
        // It has been read, and shown if it is to be.
        await page.evaluate(() => new Promise((resolve) => { setTimeout(resolve, 200); }));
    }};
}

// What is shown, and what is done with all of it, is of one filter: the one asked for last whose answer has come.
export async function lateAnswers(visitor, {one, other}) {
    const page = await visitor.enter();
    await visitor.go('finds');
    assert.equal(await visitor.rows(), 2);
    const filter = async (text) => {
        await page.locator('#filter-list_infected_files').fill(text);
        await page.locator('.toolbar button').click();
    };
    let late = await holdBack(page, 'list_infected_files');
    await filter('/one');
    await late.held;
    const second = page.waitForResponse('**/list_infected_files');
    await filter('/o');
    await (await second).finished();
    await late.giveNow();
    assert.equal(await visitor.rows(), 2, 'an answer to an earlier question is not shown');

    await filter('/one');
    await page.getByText('1 to 1 of 1').waitFor();
    late = await holdBack(page, 'list_infected_files');
    await filter('');
    await late.held;
    await page.getByRole('button', {name: 'Choose all 1 row'}).click();
    await page.locator('#quarantine').click();
    await page.getByText('All has been done: 1 step.').waitFor();
    assert(!existsSync(one) && existsSync(other), 'all is all that is shown');
    await late.giveNow();
    await page.getByText('1 to 1 of 1').waitFor();
    await rowOf(page, other).waitFor();

    // Nor is a refusal shown in a part of the page that asked for nothing.
    late = await holdBack(page, 'list_infected_files',
        (answer) => ({...answer, status: 0, data: null, errors: ['too late']}));
    await filter('/o');
    await late.held;
    await visitor.go('history');
    await late.giveNow();
    assert.equal(await page.locator('#problems').textContent(), '');
}

// It is not called done where something was left as it is.
export async function notEverythingDone(visitor, {path}) {
    const page = await visitor.enter();
    await visitor.go('finds');
    await rowOf(page, path).getByRole('checkbox').check();
    await page.locator('#quarantine').click();
    await page.getByText('This has ended, but not everything was done: 1 step.').waitFor();
    await page.locator('.steps li').getByText('left alone').waitFor();
    assert(existsSync(path));
}

// A session that was ended elsewhere asks for the password; one that the server did not hear of is not called ended.
export async function sessionsEnd(visitor) {
    const page = await visitor.enter();
    await page.locator('#verdict').waitFor();
    await visitor.quiet();
    const {name} = JSON.parse(await page.evaluate(() => sessionStorage.getItem('clamscanner.session')));
    await visitor.askElsewhere('revoke', {name}, 'Tokens');
    await page.locator('#to-history').click();
    await page.getByText('You have been logged out, since the key of this page has ended.').waitFor();
    assert.equal(await page.evaluate(() => sessionStorage.length), 0);

    await visitor.logIn();
    await page.locator('#to-overview').waitFor();
    const {token} = JSON.parse(await page.evaluate(() => sessionStorage.getItem('clamscanner.session')));
    const busy = {status: 0, errors: ['busy'], data: null};
    await page.route('**/Tokens/revoke', (route) => route.fulfill({json: busy}), {times: 1});
    await page.locator('#log-out').click();
    await page.getByText('You are logged out here, but the server did not answer').waitFor();
    assert.equal(await page.evaluate(() => sessionStorage.length), 0);

    // What is said of a session that is over by then says nothing of the next one.
    await visitor.logIn();
    await visitor.go('overview');
    await visitor.quiet();
    const late = await holdBack(page, 'list_history');
    await page.locator('#to-history').click();
    await late.held;
    await page.locator('#log-out').click();
    await page.getByText('You are logged out.').waitFor();
    await visitor.logIn();
    await page.locator('#to-overview').waitFor();
    await late.giveNow({status: 401, json: {errors: ['No access.']}});
    await visitor.go('overview');

    await page.locator('#log-out').click();
    await page.getByText('You are logged out.').waitFor();
    return {kept: token};
}

// What the administrator ignores is told, and is not the owner's to end.
export async function administratorsIgnoring(visitor, {wrong}) {
    const page = await visitor.enter();
    await visitor.scan();
    assert.equal(await visitor.verdict(), `Nothing else was found, but ${isIgnored(1)}`);
    await visitor.go('ignored');
    await rowOf(page, wrong).getByText('Your administrator').waitFor();
    await rowOf(page, wrong).getByRole('checkbox').check();
    await page.locator('#find-again').click();
    await page.getByText('ask your administrator').waitFor();
    await rowOf(page, wrong).waitFor();
    await visitor.picture('ignored-by-the-administrator');
}

const scheduleIs = (page, text) => page.locator('#schedule-is').getByText(text, {exact: true}).waitFor();

// More scans need no password, fewer do.
export async function schedule(visitor) {
    const page = await visitor.enter();
    await visitor.go('settings');
    await scheduleIs(page, 'No scan begins by itself.');
    assert(!await page.locator('#schedule-hour').isVisible());
    const set = async (frequency) => {
        await page.locator('#schedule-frequency').selectOption(frequency);
        await page.locator('#save-schedule').click();
    };
    await page.locator('#schedule-frequency').selectOption('daily');
    await page.locator('#schedule-type').selectOption('public_html');
    await page.locator('#schedule-hour').selectOption('3');
    assert(!await page.locator('#schedule-day').isVisible());
    await page.locator('#save-schedule').click();
    await scheduleIs(page, 'Each day, between 03:00 and 04:00: a scan of the web site.');
    await page.getByText('The next one begins').waitFor();
    await visitor.picture('schedule');

    await page.locator('#schedule-frequency').selectOption('weekly');
    await page.locator('#schedule-day').selectOption('sunday');
    await page.locator('#save-schedule').click();
    await page.getByText('something harmful may stay unnoticed for longer').waitFor();
    await visitor.picture('schedule-password');
    await visitor.confirm('not the password');
    await page.locator('dialog').getByText('The password is wrong.').waitFor();
    await page.keyboard.press('Escape');
    await page.locator('dialog').waitFor({state: 'detached'});
    await page.reload();
    await scheduleIs(page, 'Each day, between 03:00 and 04:00: a scan of the web site.');

    await page.locator('#schedule-frequency').selectOption('weekly');
    await page.locator('#schedule-day').selectOption('sunday');
    await page.locator('#save-schedule').click();
    await visitor.confirm();
    await scheduleIs(page, 'Each week on Sunday, between 03:00 and 04:00: a scan of the web site.');
    await visitor.checkThatThePasswordIsGone();
    await set('daily');
    await scheduleIs(page, 'Each day, between 03:00 and 04:00: a scan of the web site.');
    await set('never');
    await visitor.confirm();
    await scheduleIs(page, 'No scan begins by itself.');
    await set('weekly');
    await page.getByText('Each week on Monday').waitFor();
}

const mailsGo = (page, text) => page.locator('#mails-to').getByText(text, {exact: true}).waitFor();

// A new address: refused as nonsense, refused without the password, then taken, and waiting for its code.
export async function anAddressIsSet(visitor, {address}) {
    const page = await visitor.enter();
    await visitor.go('settings');
    await page.locator('#mails-to').waitFor();
    await page.locator('#save-mails').click();
    await page.getByText('Nothing was changed.').waitFor();
    await page.locator('#mails-address').fill('<b>@elsewhere.example');
    await page.locator('#save-mails').click();
    await page.getByText('so only you may change this').waitFor();
    await visitor.picture('mails-password');
    await visitor.confirm();
    await page.locator('dialog').getByText('Accepted: a mail address').waitFor();
    await page.locator('#answer-cancel').click();
    await page.locator('#mails-address').fill(address);
    await page.locator('#save-mails').click();
    await visitor.confirm('not the password');
    await page.locator('dialog').getByText('The password is wrong.').waitFor();
    await visitor.confirm();
    await page.getByText(`A mail with a code was sent to ${address}.`).waitFor();
    await visitor.checkThatThePasswordIsGone();
    await visitor.picture('mails-unconfirmed');
}

// By the link in the mail.
export async function anAddressIsConfirmed(visitor, {address, hash}) {
    const page = await visitor.enter({hash});
    await page.getByRole('button', {name: 'Confirm the address'}).click();
    await page.getByText(`Mails about infected files go to ${address} now.`).waitFor();
    await visitor.picture('mails-link');
    await visitor.go('settings');
    await mailsGo(page, `These mails go to ${address}.`);
}

// By the code alone, after a wrong one; then they are switched off.
export async function aCodeIsGiven(visitor, {address, code}) {
    const page = await visitor.enter();
    await visitor.go('settings');
    await page.locator('#mails-code').fill('0123456789');
    await page.locator('#confirm-mails').click();
    await page.locator('#problems p').first().waitFor();
    await page.locator('#mails-code').fill(code);
    await page.locator('#confirm-mails').click();
    await mailsGo(page, `These mails go to ${address}.`);
    await page.locator('#mails-enabled').uncheck();
    await page.locator('#save-mails').click();
    await visitor.confirm();
    await mailsGo(page, 'No such mails are sent to you.');
    await visitor.picture('mails-off');
    return historyOf(visitor);
}

// Before an owner goes to bed.
export async function theEveningBefore(visitor) {
    const page = await visitor.enter();
    await visitor.scan();
    assert.match(await visitor.verdict(), /^Clean: /);
    await visitor.go('settings');
    await page.locator('#schedule-frequency').selectOption('daily');
    await page.locator('#save-schedule').click();
    await scheduleIs(page, 'Each day, between 03:00 and 04:00: a scan of the whole home directory.');
}

// The answers that the overview is made of may be of different moments; what it says is true of one.
export async function answersOfDifferentMoments(visitor, {infected, content}) {
    const page = await visitor.enter();
    await visitor.scan();
    await visitor.go('history');
    // The scans were asked for just before the scan ended.
    await page.route('**/list_history', async (route) => {
        const answer = await (await route.fetch()).json();
        answer.data[0].result = 'running';
        await route.fulfill({json: answer});
    }, {times: 1});
    await visitor.go('overview');
    assert.match(await visitor.verdict(), /^Clean: /);

    // The status was asked for when a scan had begun and ended, the lists, if they may, before it began.
    await visitor.go('history');
    await page.route('**/get_scan_status', async (route) => {
        await page.waitForTimeout(1000);
        writeFileSync(infected, content);
        await visitor.scanElsewhere();
        await route.continue();
    }, {times: 1});
    await visitor.go('overview');
    assert.equal(await visitor.verdict(), '1 infected file was found and is still there. It needs your decision.');
}

// What is said of the finds is said anew when they have been dealt with.
export async function dealtWithMeanwhile(visitor, {infected}) {
    const page = await visitor.enter();
    await visitor.go('history');
    let asked = 0;
    await page.route('**/check_disinfection_status', async (route) => {
        asked += 1;
        if (asked === 1) {
            const response = await route.fetch();
            const json = await response.json();
            await route.fulfill({response, json: {...json, data: {...json.data, details: [], status: 'running'}}});
            return;
        }
        if (asked === 2) {
            assert.equal(await visitor.verdict(), '1 infected file was found and is still there. It needs your decision.');
            await visitor.quarantineElsewhere(infected);
        }
        await route.continue();
    });
    await visitor.go('overview');
    await page.getByText('All has been done: 1 step.').waitFor();
    await page.locator('#verdict').getByText('The infected file that was found is no longer in its place.').waitFor();
}

// What the night's scan found: seen, quarantined, brought back, found to be fine; and the history tells of it.
export async function theMorningAfter(visitor, {wrong, bad}) {
    const page = await visitor.enter();
    assert.equal(await visitor.verdict(), '2 infected files were found and are still there. They need your decision.');
    await visitor.picture('morning-overview');
    await visitor.go('finds');
    await page.getByRole('button', {name: 'Choose all 2 rows'}).click();
    await page.locator('#quarantine').click();
    await page.getByText('The list of infected files is empty.').waitFor();
    assert(!existsSync(wrong) && !existsSync(bad));
    await visitor.go('quarantine');
    await rowOf(page, wrong).getByRole('checkbox').check();
    await page.locator('#restore').click();
    await page.locator('#answer-restore').click();
    await page.getByText('1 to 1 of 1').waitFor();
    assert(existsSync(wrong) && !existsSync(bad));
    await visitor.go('finds');
    await rowOf(page, wrong).getByRole('checkbox').check();
    await visitor.ignore('made by us');
    await page.getByText('The list of infected files is empty.').waitFor();
    await visitor.scan();
    assert.equal(await visitor.verdict(), `Nothing else was found, but ${isIgnored(1)}`);
    await visitor.picture('morning-done');
    const told = await historyOf(visitor);
    await visitor.picture('morning-history');
    await visitor.go('ignored');
    await rowOf(page, wrong).getByText('made by us').waitFor();
    return told;
}

// What the server did at night is told in the morning, and can be undone.
export async function quarantinedByItself(visitor, {bad}) {
    const page = await visitor.enter();
    await page.getByText('put into quarantine by the server itself').waitFor();
    assert.equal(await visitor.verdict(), 'The infected file that was found is no longer in its place.');
    await visitor.picture('quarantined-by-itself');
    await visitor.go('history');
    await page.getByText('The server by itself, after a scan by a schedule').waitFor();
    await visitor.go('quarantine');
    await rowOf(page, bad).getByRole('checkbox').check();
    await page.locator('#restore').click();
    await page.locator('#answer-restore').click();
    await page.getByText('The quarantine is empty.').waitFor();
}

// Where the administrator has no scheduled scans, nothing can be set.
export async function noSchedules(visitor) {
    const page = await visitor.enter();
    await visitor.go('settings');
    await page.getByText('Scheduled scans are switched off on this server.').waitFor();
    assert.equal(await page.locator('#save-schedule').count(), 0);
}

// Only what was scanned, all of it, and without anything to say against it, is called clean.
export async function clean(visitor, {total}) {
    await visitor.enter();
    await visitor.scan();
    assert.equal(await visitor.verdict(), `Clean: all ${total} files were scanned, and none is infected.`);
    await visitor.picture('clean');
}

export async function notAllScanned(visitor) {
    const page = await visitor.enter();
    await visitor.scan();
    assert.match(await visitor.verdict(), /^Nothing infected was found, but 1 file could not be scanned/);
    assert.doesNotMatch(await page.locator('section.verdict').textContent(), /clean/i);
    await visitor.picture('not-all-scanned');
}

// Without a database of signatures nothing is clean.
export async function notAFullScan(visitor) {
    const page = await visitor.enter();
    await visitor.scan();
    assert.match(await visitor.verdict(), /^Nothing infected was found, but the scan was not a full one/);
    await page.locator('.notes .warning').first().waitFor();
    assert.doesNotMatch(await page.locator('section.verdict').textContent(), /clean/i);
}

// A scan goes on while its tab is closed, and can be cancelled from another.
export async function closedTab(visitor) {
    let page = await visitor.enter();
    await page.locator('#scan-type').selectOption('public_html');
    await page.locator('#start-scan').click();
    await page.locator('#scan-count').waitFor();
    await visitor.picture('scanning');
    await page.context().close();
    page = await visitor.enter();
    await page.locator('#cancel-scan').waitFor();
    assert.equal(await visitor.verdict(), 'A scan of the web site is running.');
    await page.locator('#cancel-scan').click();
    await page.locator('#start-scan').waitFor();
    assert.doesNotMatch(await visitor.verdict(), /clean/i);
    await visitor.picture('cancelled');
    return visitor.verdict();
}

// Names of files and signatures are shown, and are nothing but text.
export async function hostileNames(visitor, {found}) {
    const page = await visitor.enter();
    await visitor.scan();
    for (const view of ['overview', 'finds']) await visitor.go(view);
    await page.locator('tbody tr').first().waitFor();
    assert.equal(await visitor.rows(), found);
    const shown = await page.locator('td.cell-file').allTextContents();
    const signatures = await page.locator('.signature').allTextContents();
    await visitor.picture('hostile-names');
    await page.getByRole('button', {name: /Look inside/}).first().click();
    await page.locator('pre.inside').waitFor();
    await page.locator('#answer-').click();
    await checkElements(page);
    const ignored = await ignoredAndFoundAgain(visitor, found);
    await page.getByRole('button', {name: `Choose all ${found} rows`}).click();
    await page.locator('#quarantine').click();
    await page.getByText(`All has been done: ${found} steps.`).waitFor();
    await checkElements(page);
    await page.getByText('The list of infected files is empty.').waitFor();
    await visitor.go('quarantine');
    const moved = await page.locator('td.cell-file').allTextContents();
    await checkElements(page);
    return {shown, signatures, moved, ignored};
}

// With a hostile reason. The names in the list of what is ignored.
async function ignoredAndFoundAgain(visitor, found) {
    const {page} = visitor;
    await page.getByRole('button', {name: `Choose all ${found} rows`}).click();
    await page.locator('#ignore').click();
    await page.locator('#ignore-reason').waitFor();
    await checkElements(page);
    await page.keyboard.press('Escape');
    await page.locator('dialog').waitFor({state: 'detached'});
    await visitor.ignore('<img src=x onerror=hacked=1>\u202e');
    await page.getByText('The list of infected files is empty.').waitFor();
    await visitor.go('ignored');
    assert.equal(await visitor.rows(), found);
    const names = await page.locator('td.cell-file bdi').allTextContents();
    const [reason] = await page.locator('td.cell-reason').allTextContents();
    assert.equal(reason, '<img src=x onerror=hacked=1>\\u202e');
    await checkElements(page);
    await visitor.picture('hostile-names-ignored');
    await page.getByRole('button', {name: `Choose all ${found} rows`}).click();
    await page.locator('#find-again').click();
    await page.getByText('Nothing is ignored.').waitFor();
    await visitor.go('finds');
    await visitor.askUntil(async () => await visitor.rows() === found);
    return names;
}

const ownElements = new Set(('html head meta title link script body a header h1 h2 h3 p span button nav ul ol li main div ' +
    'section form label input select option table caption thead tbody tr th td bdi time dialog pre figure figcaption svg ' +
    'rect polyline circle progress strong').split(' '));

// Nothing that a name holds has become an element, an attribute that does something, or a script that ran.
async function checkElements(page) {
    const seen = await page.evaluate(() => ({
        elements: [...new Set([...document.querySelectorAll('*')].map(({localName}) => localName))],
        handlers: document.documentElement.outerHTML.match(/<[^>]*\son[a-z]+=/g),
        scripts: document.scripts.length,
        hacked: globalThis.hacked ?? null,
    }));
    assert.deepEqual(seen.elements.filter((name) => !ownElements.has(name)), []);
    assert.deepEqual([seen.scripts, seen.hacked], [1, null]);
}

const views = ['overview', 'finds', 'quarantine', 'ignored', 'unscanned', 'history', 'settings'];

// In the pseudo-language no plain letter is left but in what comes from elsewhere.
export async function allTextsAreInTheCatalogue(visitor, {infected}) {
    const page = await visitor.open({query: '?lang=pseudo'});
    await checkPseudo(page, 'login');
    await visitor.logIn('wrong');
    await page.locator('#problems p').waitFor();
    await checkPseudo(page, 'refused login');
    await visitor.logIn();
    await page.locator('#verdict').waitFor();
    await visitor.scan();
    for (const view of views) {
        await visitor.go(view);
        await checkPseudo(page, view);
        await visitor.picture(`pseudo-${view}`);
    }
    await visitor.go('finds');
    await page.locator('td.buttons button').first().click();
    await page.locator('pre.inside').waitFor();
    await checkPseudo(page, 'look inside');
    await page.keyboard.press('Escape');
    await rowOf(page, infected[0]).getByRole('checkbox').check();
    await page.locator('#ignore').click();
    for (const wrong of ['', 'wrong']) {
        await page.locator('#ignore-reason').fill(wrong);
        await visitor.confirm(wrong);
        await page.locator('dialog .problems p').waitFor();
        await checkPseudo(page, `ignoring, refused ${wrong}`);
        if (wrong !== '') await page.locator('#answer-confirm:enabled').waitFor();
    }
    await page.keyboard.press('Escape');
    await rowOf(page, infected[0]).getByRole('checkbox').check();
    await page.locator('#delete').click();
    await page.locator('dialog').waitFor();
    await checkPseudo(page, 'plan');
    await page.locator('#answer-delete').click();
    await checkPseudo(page, 'second question');
    await page.locator('#answer-quarantine').click();
    await page.locator('.steps li').nth(1).waitFor();
    await checkPseudo(page, 'steps');
    await visitor.go('quarantine');
    for (const button of ['#restore', '#discard']) {
        await page.locator('tbody input').first().check();
        await page.locator(button).click();
        await checkPseudo(page, button);
        await page.keyboard.press('Escape');
    }
    await visitor.go('ignored');
    await page.locator('tbody input').first().check();
    await page.locator('#find-again').click();
    await page.locator('main [role=status] p').first().waitFor();
    await checkPseudo(page, 'found again');
    await visitor.go('settings');
    for (const frequency of ['daily', 'weekly']) {
        await page.locator('#schedule-frequency').selectOption(frequency);
        await checkPseudo(page, `a schedule that is set ${frequency}`);
    }
    await page.locator('#mails-address').fill('owner@elsewhere.example');
    await page.locator('#save-mails').click();
    await page.locator('#password-again').waitFor();
    await checkPseudo(page, 'the question about mails');
    await visitor.confirm();
    await page.locator('#mails-code').waitFor();
    await checkPseudo(page, 'an address without its code');
    await page.locator('#schedule-frequency').selectOption('weekly');
    await page.locator('#save-schedule').click();
    await page.locator('#password-again').waitFor();
    await checkPseudo(page, 'the question about the schedule');
    await visitor.confirm();
    await page.locator('dialog').waitFor({state: 'detached'});
    await checkPseudo(page, 'a weekly schedule');
    await page.locator('#log-out').click();
    await page.locator('form.login').waitFor();
    await checkPseudo(page, 'logged out');
}

async function checkPseudo(page, where) {
    const plain = await page.evaluate(() => {
        const foreign = 'bdi, time, .server-says, .foreign, script, style, noscript';
        const found = [];
        const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
        while (walker.nextNode())
            if (/[A-Za-z]/.test(walker.currentNode.data) && !walker.currentNode.parentElement.closest(foreign))
                found.push(walker.currentNode.data);
        for (const element of document.querySelectorAll('[aria-label], [title], [placeholder], [alt]'))
            for (const name of ['aria-label', 'title', 'placeholder', 'alt']) {
                // A label of a row has its name in it.
                const text = (element.getAttribute(name) ?? '').replace(/\/\S*/g, '');
                if (/[A-Za-z]/.test(text)) found.push(`${name}: ${text}`);
            }
        if (/[A-Za-z]/.test(document.title)) found.push(document.title);
        return found;
    });
    assert.deepEqual(plain, [], where);
}

const firstQuestions = {overview: 'get_scan_paths', finds: 'list_infected_files', history: 'list_history',
    settings: 'get_schedule'};

// No rule of axe's is broken, nothing needs sideways scrolling of the page, at any width, light and dark.
export async function accessible(visitor, {infected}) {
    const wrong = [];
    for (const [width, height, schemes] of [[320, 640, ['light']], [1280, 900, ['light', 'dark']], [3840, 2160, ['dark']]])
        for (const colorScheme of schemes) {
            const page = await visitor.open({width, height, colorScheme, bypassCSP: true});
            const check = async (name) => {
                const where = `${name}, ${width} px, ${colorScheme}`;
                wrong.push(...(await visitor.violations()).map((text) => `${where}: ${text}`));
                const excess = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
                if (excess > 0) wrong.push(`${where}: ${excess} px too wide`);
                await visitor.picture(`${name}-${width}-${colorScheme}`);
            };
            await check('login');
            await visitor.logIn();
            for (const view of views) {
                await visitor.go(view);
                await check(view);
            }
            for (const [view, question] of Object.entries(firstQuestions)) {
                const late = await holdBack(page, question);
                await page.locator(`#to-${view}`).click();
                await late.held;
                await check(`${view}-without-an-answer`);
                await late.giveNow();
            }
            await visitor.go('finds');
            await page.locator('td.buttons button').first().click();
            await page.locator('pre.inside').waitFor();
            await check('look-inside');
            await page.keyboard.press('Escape');
            await rowOf(page, infected[0]).getByRole('checkbox').check();
            await page.locator('#ignore').click();
            await page.locator('#answer-confirm').click();
            await page.locator('dialog .problems p').waitFor();
            await check('ignore');
            await page.keyboard.press('Escape');
            await page.locator('#delete').click();
            await page.locator('dialog .plan').waitFor();
            await check('delete');
            await page.keyboard.press('Escape');
            await visitor.go('settings');
            await page.locator('#schedule-frequency').selectOption('weekly');
            await check('weekly');
            await page.context().close();
        }
    assert.deepEqual(wrong, []);
}

// Logs in, scans, looks and quarantines without a mouse.
export async function keyboardAlone(visitor, {user, password, infected}) {
    const page = await visitor.open();
    const reach = async (selector) => {
        for (let tabs = 0; tabs < 60; ++tabs) {
            if (await page.evaluate((wanted) => document.activeElement.matches(wanted), selector)) {
                const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
                assert.notEqual(outline, 'none', `the focus on ${selector} is not seen`);
                return;
            }
            await page.keyboard.press('Tab');
        }
        assert.fail(`the key Tab does not reach ${selector}`);
    };
    await page.keyboard.type(user);
    await reach('#password');
    await page.keyboard.type(password);
    await page.keyboard.press('Enter');
    await page.locator('#start-scan').waitFor();
    await reach('#start-scan');
    await page.keyboard.press('Enter');
    await page.getByText('infected file was found').waitFor();
    await reach('#to-finds');
    await page.keyboard.press('Enter');
    await page.locator('tbody tr').waitFor();
    // The focus went to the heading of what is shown now.
    assert.equal(await page.evaluate(() => document.activeElement.localName), 'h2');
    await reach('td.buttons button');
    await page.keyboard.press('Enter');
    await page.locator('pre.inside').waitFor();
    await page.keyboard.press('Enter');
    await page.locator('dialog').waitFor({state: 'detached'});
    await reach('td.buttons button');
    await page.keyboard.press('Shift+Tab');
    await page.keyboard.press('Space');
    await page.locator('#quarantine:enabled').waitFor();
    await page.locator('.table').focus();
    for (let tabs = 0; !await page.evaluate(() => document.activeElement.id === 'quarantine'); ++tabs) {
        assert(tabs < 60);
        await page.keyboard.press('Shift+Tab');
    }
    await page.keyboard.press('Enter');
    await page.getByText('All has been done: 1 step.').waitFor();
    assert(!existsSync(infected[0]));
}

// Ignores a find without a mouse, and sets a schedule.
export async function keyboardForSettings(visitor, {password}) {
    const page = await visitor.enter();
    const reach = async (selector, key = 'Tab') => {
        for (let tabs = 0; !await page.evaluate((wanted) => document.activeElement.matches(wanted), selector); ++tabs) {
            assert(tabs < 60, `the key ${key} does not reach ${selector}`);
            await page.keyboard.press(key);
        }
    };
    await visitor.go('finds');
    await reach('tbody input');
    await page.keyboard.press('Space');
    await page.locator('#ignore:enabled').waitFor();
    await page.locator('.table').focus();
    await reach('#ignore', 'Shift+Tab');
    await page.keyboard.press('Enter');
    // The first field has the focus, and Enter in a field is the button that confirms.
    await reach('#ignore-reason');
    await page.keyboard.type('fine');
    await reach('#password-again');
    await page.keyboard.type(password);
    await page.keyboard.press('Enter');
    await page.getByText('The list of infected files is empty.').waitFor();
    await page.locator('.table:focus').waitFor();
    await visitor.go('settings');
    await reach('#schedule-frequency');
    await page.keyboard.press('ArrowDown');
    await reach('#save-schedule');
    await page.keyboard.press('Enter');
    await page.getByText('Each day, between').waitFor();
    assert.equal(await page.evaluate(() => document.activeElement.id), 'save-schedule');
}

// Of very many finds the page holds one page of rows. How many seconds each thing took.
export async function manyFinds(visitor, {total, one}) {
    const page = await visitor.enter();
    const text = (n) => n.toLocaleString('en');
    const place = (first, last, of = total) =>
        page.getByText(`${text(first)} to ${text(last)} of ${text(of)}`, {exact: true}).waitFor();
    const seconds = {};
    const timed = async (what, act) => {
        const begun = performance.now();
        await act();
        seconds[what] = Math.round((performance.now() - begun) / 100) / 10;
    };
    await timed('overview', async () => {
        await page.locator('#verdict').waitFor();
        assert.match(await visitor.verdict(), new RegExp(`^${text(total)} infected files were found`));
    });
    await timed('list', async () => {
        await page.locator('#to-finds').click();
        await place(1, 50);
    });
    assert.equal(await visitor.rows(), 50);
    await timed('next page', async () => {
        await page.locator('#next-list_infected_files').click();
        await place(51, 100);
    });
    await timed('longer page', async () => {
        await page.locator('#size-list_infected_files').selectOption('200');
        await place(1, 200);
    });
    assert.equal(await visitor.rows(), 200);
    await timed('sort', async () => {
        await page.locator('#sort-virus_type').click();
        await page.locator('th[aria-sort]:has(#sort-virus_type):not([aria-sort=none])').waitFor();
    });
    await timed('sort by size', async () => {
        await page.locator('#sort-size').click();
        await page.locator('th[aria-sort]:has(#sort-size):not([aria-sort=none])').waitFor();
    });
    await timed('filter', async () => {
        await page.locator('#filter-list_infected_files').fill(one);
        await page.locator('.toolbar button').click();
        await place(1, 1, 1);
    });
    await page.locator('#filter-list_infected_files').fill('');
    await page.locator('.toolbar button').click();
    await place(1, 200);
    await timed('plan of a deletion', async () => {
        await page.getByRole('button', {name: `Choose all ${text(total)} rows`}).click();
        await page.getByText(`${text(total)} chosen`).waitFor();
        await page.locator('#delete').click();
        await page.locator('dialog .plan').waitFor();
    });
    assert((await page.locator('dialog .plan li').count()) <= 50);
    await page.keyboard.press('Escape');
    await page.locator('dialog').waitFor({state: 'detached'});
    return seconds;
}

export async function quarantineAll(visitor, {total, patience}) {
    const page = await visitor.enter();
    await visitor.go('finds');
    await page.getByRole('button', {name: `Choose all ${total.toLocaleString('en')} rows`}).click();
    await page.locator('#quarantine').click();
    await page.getByText(`All has been done: ${total.toLocaleString('en')} steps.`).waitFor({timeout: patience * 1000});
    assert((await page.locator('.steps li').count()) <= 100);
    await page.getByText('The list of infected files is empty.').waitFor();
}

// Below the session of a panel.
export async function belowASession(visitor) {
    const page = await visitor.enter();
    await page.locator('#verdict').waitFor();
    return page.url();
}

// The link that a mail has: after the login, a click confirms the address. A wrong code says so.
export async function confirmedAddress(visitor, {code, address}) {
    const page = await visitor.open({hash: `#confirm=${[...code].reverse().join('')}`});
    await visitor.logIn();
    await page.getByRole('button', {name: 'Confirm the address'}).click();
    await page.locator('#problems').getByText('no address waits for this code').waitFor();
    await page.evaluate((hash) => { location.hash = hash; }, `#confirm=${code}`);
    await page.locator('#problems:empty').waitFor({state: 'attached'});
    await page.getByRole('button', {name: 'Confirm the address'}).click();
    await page.locator('main p').filter({hasText: address}).waitFor();
    await visitor.picture('address-confirmed');
}
