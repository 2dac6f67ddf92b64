// The walks that page_test.py has a browser take. Each gets a visitor and its order.
import assert from 'node:assert/strict';
import {existsSync, readFileSync} from 'node:fs';

const rowOf = (page, name) => page.locator('tbody tr').filter({hasText: name});

// A first login, wrong and right; nothing has been scanned. The password stays nowhere.
export async function firstVisit(visitor, {password}) {
    const page = await visitor.open();
    assert.equal(await page.title(), 'Log in – Virus scanner');
    await visitor.logIn('not the password');
    await page.getByText('The name or the password is wrong.').waitFor();
    await visitor.logIn();
    await page.locator('#verdict').waitFor();
    assert.equal(await visitor.verdict(), 'Your files have never been scanned.');
    await visitor.picture('never-scanned');
    const kept = await page.evaluate(() => JSON.stringify({...sessionStorage, ...localStorage, cookie: document.cookie}) +
        document.documentElement.outerHTML + [...document.querySelectorAll('input')].map(({value}) => value).join(' '));
    assert(!kept.includes(password), 'the password is still there');
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

    await rowOf(page, text.path).getByRole('button').click();
    assert.equal(await page.locator('pre.inside').textContent(), text.content);
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
    await page.getByRole('button', {name: `Choose all ${found} rows`}).click();
    await page.locator('#quarantine').click();
    await page.getByText(`All has been done: ${found} steps.`).waitFor();
    await checkElements(page);
    await page.getByText('The list of infected files is empty.').waitFor();
    await visitor.go('quarantine');
    const moved = await page.locator('td.cell-file').allTextContents();
    await checkElements(page);
    return {shown, signatures, moved};
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

const views = ['overview', 'finds', 'quarantine', 'unscanned', 'history'];

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
            await visitor.go('finds');
            await page.locator('td.buttons button').first().click();
            await page.locator('pre.inside').waitFor();
            await check('look-inside');
            await page.keyboard.press('Escape');
            await rowOf(page, infected[0]).getByRole('checkbox').check();
            await page.locator('#delete').click();
            await page.locator('dialog .plan').waitFor();
            await check('delete');
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

// Of very many finds the page holds one page of rows.
export async function manyFinds(visitor, {total}) {
    const page = await visitor.enter();
    await visitor.go('finds');
    const place = (first, last) => page.getByText(`${first.toLocaleString('en')} to ${last.toLocaleString('en')} of ` +
        total.toLocaleString('en')).waitFor();
    await place(1, 50);
    assert.equal(await visitor.rows(), 50);
    await page.locator('#next-list_infected_files').click();
    await place(51, 100);
    await page.locator('#size-list_infected_files').selectOption('200');
    await place(1, 200);
    assert.equal(await visitor.rows(), 200);
    await page.getByRole('button', {name: `Choose all ${total.toLocaleString('en')} rows`}).click();
    await page.getByText(`${total.toLocaleString('en')} chosen`).waitFor();
    await page.locator('#quarantine').click();
    await page.getByText(`All has been done: ${total.toLocaleString('en')} steps.`).waitFor({timeout: 120_000});
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
