// What a client of the service does, whichever client it is: the main job to its end, a page of a list, and calls that
// are refused. Each job returns what it saw.
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';

const PATIENCE_MS = 60_000;

function dataOf(answer) {
    assert.equal(answer.http, 200);
    assert.equal(answer.status, 1, `refused: ${answer.errors}`);
    assert.equal(answer.errors, null);
    return answer.data;
}

async function until(what, attempt) {
    const deadline = Date.now() + PATIENCE_MS;
    for (;;) {
        const value = await attempt();
        if (value !== undefined) return value;
        assert.ok(Date.now() < deadline, `waited too long for ${what}`);
        await sleep(20);
    }
}

async function scan(client) {
    assert.equal(dataOf(await client.startScan('home')), null);
    return until('the end of the scan', async () => {
        const status = dataOf(await client.scanStatus());
        return status.scan_complete === 1 ? status : undefined;
    });
}

/** Every record once: each poll asks only for those after the newest that came. */
async function disinfect(client, actions) {
    const queued = dataOf(await client.disinfect(actions));
    const records = [];
    await until('the end of the disinfection', async () => {
        const { details, log, status } = dataOf(await client.disinfectionStatus(records.at(-1)?.id ?? 0));
        assert.equal(log, queued.log);
        records.push(...details);
        return status === 'done' ? status : undefined;
    });
    return { queued, records };
}

/** What a dry run says of each file is what becomes of it. */
async function disinfectAsPlanned(client, actions) {
    const planned = dataOf(await client.planDisinfection(actions));
    const done = await disinfect(client, actions);
    const states = (steps) => Object.fromEntries(steps.map(({ file, state }) => [file, state]));
    assert.deepEqual(states(planned), states(done.records.filter(({ type }) => type === 'step')));
    return done;
}

/** What was moved is listed, an id of nobody's is an error of its own, and what is deleted there is gone. */
async function emptyQuarantine(client, actions) {
    const held = dataOf(await client.quarantinedFiles());
    const moved = Object.keys(actions).filter((file) => actions[file] === 'quarantine');
    assert.deepEqual(held.map(({ file }) => file).sort(), moved.sort());
    const unknown = '0'.repeat(32);
    const refused = dataOf(await client.restore([unknown]));
    assert.deepEqual(refused.map(({ file, id, state }) => [file, id, state]), [['', unknown, 'error']]);
    const deleted = dataOf(await client.deleteQuarantined(held.map(({ id }) => id)));
    assert.deepEqual(deleted.map(({ file, id }) => [file, id]), held.map(({ file, id }) => [file, id]));
    await until('an empty quarantine', async () =>
        dataOf(await client.quarantinedFiles()).length === 0 ? true : undefined);
}

export async function mainJob(client, { actions }) {
    const status = await scan(client);
    const listed = dataOf(await client.infectedFiles());
    assert.deepEqual(dataOf(await client.unscannedFiles()), []);
    const done = await disinfectAsPlanned(client, actions);
    await emptyQuarantine(client, actions);
    return { status, listed, ...done };
}

/** The ways in which pages send an object, each with an action of its own. */
export async function waysToSend(client, { files }) {
    await scan(client);
    // What a byte that is not UTF-8 becomes in a form: such a path is sent as JSON.
    assert.equal(new URLSearchParams({ a: '\udcff' }).toString(), 'a=%EF%BF%BD');
    const ways = ['disinfectInPieces', 'disinfectByBlob', 'disinfectByWholeBody'];
    const seen = {};
    for (const [number, way] of ways.entries()) {
        const { records } = await disinfect({ ...client, disinfect: client[way] }, { [files[number]]: 'delete' });
        seen[way] = records.filter(({ type }) => type === 'step').map(({ file, state }) => [file, state]);
    }
    return seen;
}

export async function pages(client, { containing, size }) {
    await scan(client);
    const page = async (number) => {
        const answer = await client.pageOfInfectedFiles({ containing, size, page: number });
        return { rows: dataOf(answer), metadata: answer.metadata };
    };
    return [await page(1), await page(2)];
}

export async function refusals(client) {
    for (const answer of [await client.cancelScan(), await client.deleteQuarantined([])])
        assert.deepEqual([answer.status, answer.data, answer.errors.length], [0, null, 1]);
    return {
        scanType: await client.startScan('everything'),
        actions: await client.disinfect({}),
    };
}
