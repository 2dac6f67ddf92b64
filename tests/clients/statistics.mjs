// What public client libraries of the statistics interface make of the service's answers, with their calls for any
// action: node statistics.mjs URL KEY_ID SECRET WHAT, where WHAT is one of `jobs` below. What they saw goes to standard
// output, as JSON.
import openApiClient from '@alicloud/openapi-client';
import openApiCore from '@alicloud/openapi-core';
import PopCore from '@alicloud/pop-core';

const [url, keyId, secret, what] = process.argv.slice(2);
const { host } = new URL(url);

const STATISTIC = 'GetVirusScanLatestTaskStatistic';
const LISTS = ['ListVirusScanTask', 'ListVirusScanMachine', 'ListVirusScanMachineEvent'];
// The libraries give up after three seconds; a busy machine may need more.
const PATIENCE_MS = 60_000;

// Each of these takes a key and a version, and gives a function that makes the body of an answer of an action and its
// parameters, which are texts.

/** Signs by V1. It would always use GET; with parameters it is told to post a form here, so that both are seen. */
function popCore({ accessKeyId, accessKeySecret, version }) {
    const client = new PopCore({ endpoint: `http://${host}`, accessKeyId, accessKeySecret, apiVersion: version });
    return (action, parameters = {}) => {
        const method = Object.keys(parameters).length > 0 ? 'POST' : 'GET';
        return client.request(action, parameters, { method, timeout: PATIENCE_MS });
    };
}

/** Signs by V3, which the clients of single products leave to one of two libraries: they look alike from here. */
function openApi(Client, { Config, Params, OpenApiRequest }) {
    return ({ accessKeyId, accessKeySecret, version }) => {
        const client = new Client(new Config({ endpoint: host, protocol: 'http', accessKeyId, accessKeySecret }));
        return async (action, parameters = {}) => {
            const params = new Params({
                action,
                version,
                protocol: 'HTTP',
                pathname: '/',
                method: 'POST',
                authType: 'AK',
                style: 'RPC',
                reqBodyType: 'formData',
                bodyType: 'json',
            });
            const request = new OpenApiRequest({ query: parameters });
            const runtime = { readTimeout: PATIENCE_MS, connectTimeout: PATIENCE_MS };
            return (await client.callApi(params, request, runtime)).body;
        };
    };
}

const libraries = {
    'pop-core': popCore,
    'openapi-client': openApi(openApiClient.default, openApiClient),
    'openapi-core': openApi(openApiCore.default, openApiCore.$OpenApiUtil),
};

const right = { accessKeyId: keyId, accessKeySecret: secret, version: '2018-12-03' };
const refusals = {
    unknownKey: [{ ...right, accessKeyId: `${keyId}x` }, STATISTIC],
    wrongSecret: [{ ...right, accessKeySecret: `${secret}x` }, STATISTIC],
    unknownAction: [right, 'GetNothing'],
    wrongVersion: [{ ...right, version: '2011-01-01' }, STATISTIC],
};

async function thrownBy(call) {
    try {
        await call();
    } catch (error) {
        return error;
    }
    throw new Error('a call went well that was to be refused');
}

/** An object with the same keys; one value after the other, so that the service sees one call at a time. */
async function inTurn(object, look) {
    const seen = {};
    for (const [key, value] of Object.entries(object)) seen[key] = await look(value);
    return seen;
}

const jobs = {
    numbers: () => inTurn(libraries, (connect) => connect(right)(STATISTIC)),

    errors: () =>
        inTurn(libraries, (connect) =>
            inTurn(refusals, async ([settings, action]) => {
                const error = await thrownBy(() => connect(settings)(action));
                const status = error.statusCode ?? error.entry?.response.statusCode;
                return { code: error.code, message: error.message, status };
            }),
        ),

    create: () => libraries['openapi-client'](right)('CreateVirusScanOnceTask', { ScanType: 'system' }),

    lists: () => {
        const page = { CurrentPage: '1', PageSize: '10' };
        const actions = Object.fromEntries(LISTS.map((action) => [action, action]));
        const { 'pop-core': first, 'openapi-client': second } = libraries;
        return inTurn({ 'pop-core': first, 'openapi-client': second }, (connect) => {
            const call = connect(right);
            return inTurn(actions, (action) => call(action, page));
        });
    },
};

if (!Object.hasOwn(jobs, what)) throw new Error(`WHAT must be one of: ${Object.keys(jobs).join(', ')}`);
console.log(JSON.stringify(await jobs[what]()));
