// Speaks the documented interface. The password is used for one request, which makes a token; then only that is kept, in
// the session storage of this tab: it survives a reload, ends with the tab, and no other origin can read it. What makes
// the protection weaker is asked for with the password, which the owner gives again each time.
const api = new URL('../execute/', document.baseURI);
const kept = 'clamscanner.session';
const tokenSeconds = 2 * 3600;
const tokenPrefix = 'page-';
const isOurs = ({name}) => /^page-[0-9a-f]{16}$/.test(name);
const patience = 130_000;  // milliseconds; the server gives up before

// What the server refused; `sentences` are its own. `status` is that of HTTP, 0 when there was no answer.
export class Refused extends Error {
    constructor(status, sentences = [], retrySeconds = 0) {
        super(sentences.join(' ') || `refused with ${status}`);
        this.status = status;
        this.sentences = sentences;
        this.retrySeconds = retrySeconds;
    }
}

// The owner has logged out meanwhile, and perhaps in again: nobody waits for the answer, and a refusal says nothing of the
// session that there is now.
export class Superseded extends Error {}

const base64 = (text) => btoa(String.fromCharCode(...new TextEncoder().encode(text)));

async function resultOf(response) {
    let result;
    try {
        result = await response.json();
    } catch {
        throw new Refused(response.ok ? -1 : response.status);
    }
    if (response.ok && result.status === 1) return result;
    throw new Refused(response.status, result.errors ?? [], Number(response.headers.get('Retry-After') ?? 0));
}

async function send(module, name, values, authorization) {
    let response;
    try {
        // By POST, so that no path of a file stands in a log of addresses.
        response = await fetch(new URL(`${module}/${name}`, api), {
            method: 'POST',
            headers: {'Authorization': authorization, 'Content-Type': 'application/json'},
            body: JSON.stringify(values),
            credentials: 'omit',
            cache: 'no-store',
            redirect: 'error',
            signal: AbortSignal.timeout(patience),
        });
    } catch {
        throw new Refused(0);
    }
    return resultOf(response);
}

let session = JSON.parse(sessionStorage.getItem(kept) ?? 'null');
const basicOf = (name, password) => `Basic ${base64(`${name}:${password}`)}`;
const authorizationOf = ({user, token}) => `cpanel ${user}:${token}`;

export const user = () => session?.user ?? null;

function keep(newSession) {
    session = newSession;
    if (session === null) sessionStorage.removeItem(kept);
    else sessionStorage.setItem(kept, JSON.stringify(session));
}

// The server's clock: the owner's may be wrong.
export async function now() {
    const response = await fetch('./', {method: 'HEAD', cache: 'no-store', credentials: 'omit'}).catch(() => {
        throw new Refused(0);
    });
    const date = Date.parse(response.headers.get('Date') ?? '');
    return Math.floor((Number.isNaN(date) ? Date.now() : date) / 1000);
}

// Revokes tokens of this page that have expired, or, to make room, the oldest.
async function tidyTokens(authorization, makeRoom) {
    const {data} = await send('Tokens', 'list', {}, authorization);
    const ours = data.filter(isOurs).sort((a, b) => a.create_time - b.create_time);
    const expired = ours.filter(({state}) => state === 'expired');
    const ended = expired.length > 0 || !makeRoom ? expired : ours.slice(0, 1);
    for (const {name} of ended) await send('Tokens', 'revoke', {name}, authorization);
}

function randomName() {
    const bytes = crypto.getRandomValues(new Uint8Array(8));
    return tokenPrefix + [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

export async function logIn(name, password) {
    const basic = basicOf(name, password);
    const order = {name: randomName(), expires_at: await now() + tokenSeconds};
    const makeToken = () => send('Tokens', 'create_full_access', order, basic);
    const made = await makeToken().catch(async (refused) => {
        if (refused.status !== 200) throw refused;
        await tidyTokens(basic, true);
        return makeToken();
    });
    keep({user: name, token: made.data.token, name: order.name});
    tidyTokens(authorizationOf(session), false).catch(() => {});
}

export function forget() {
    keep(null);
}

// Whether the token is no longer good. It is not kept in either case.
export async function logOut() {
    const ended = session;
    keep(null);
    if (ended === null) return true;
    try {
        await send('Tokens', 'revoke', {name: ended.name}, authorizationOf(ended));
        return true;
    } catch (error) {
        return error.status === 401;
    }
}

// One function of the module ClamScanner: data, metadata, messages, warnings. Throws Refused or Superseded.
export async function call(name, values = {}) {
    const asked = session;
    if (asked === null) throw new Superseded();
    const answer = await send('ClamScanner', name, values, authorizationOf(asked)).catch((refused) => {
        throw asked === session ? refused : new Superseded();
    });
    if (asked !== session) throw new Superseded();
    return answer;
}

// The same, by the owner's password.
export async function callWithPassword(password, name, values) {
    return send('ClamScanner', name, values, basicOf(session.user, password));
}

// How many rows such a list has; `filter`: of those in which a column has a value.
export async function count(name, filter = {}) {
    const values = {'api.paginate_size': 1, 'api.paginate_start': 1};
    for (const [column, term] of Object.entries(filter))
        Object.assign(values, {'api.filter_column': column, 'api.filter_type': 'eq', 'api.filter_term': term});
    const {metadata} = await call(name, values);
    return metadata.paginate.total_results;
}
