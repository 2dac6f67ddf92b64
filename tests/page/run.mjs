// Takes one walk through the page in a real browser: node run.mjs WALK. The walk's order comes on standard input, a JSON
// object; what the walk saw goes to standard output, as JSON.
import {readFileSync} from 'node:fs';
import {chromium} from 'playwright-core';
import {Visitor} from './visitor.mjs';
import * as walks from './walks.mjs';

const order = JSON.parse(readFileSync(0, 'utf8'));
// Without a sandbox of its own, since the tests run as root; it visits nothing but the service.
const browser = await chromium.launch({executablePath: '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu']});
try {
    const visitor = new Visitor(browser, order);
    const seen = await walks[process.argv[2]](visitor, order);
    visitor.checkThatNothingBroke();
    console.log(JSON.stringify(seen ?? null));
} finally {
    await browser.close();
}
