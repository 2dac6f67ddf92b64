// What did not work, said in the place that each part of the page has for it.
import * as api from './api.js';
import {serverSays, told} from './dom.js';

let logInAgain = () => {};
export const whenLoggedOut = (handle) => { logInAgain = handle; };

// Why something did not work, as paragraphs.
export function reasons(error) {
    if (!(error instanceof api.Refused)) {
        console.error(error);
        return [told('p', 'error.strange')];
    }
    const lines = [];
    if (error.status === 0) lines.push(told('p', 'error.unreachable'));
    else if (error.sentences.length === 0) lines.push(told('p', 'error.strange'));
    else lines.push(told('p', 'error.says'), ...error.sentences.map((sentence) => serverSays(sentence, 'p')));
    if (error.retrySeconds > 0) lines.push(told('p', 'error.wait', {n: error.retrySeconds}));
    return lines;
}

export function complain(error) {
    if (error instanceof api.Superseded) return;
    if (error.status !== 401) {
        document.getElementById('problems')?.replaceChildren(...reasons(error));
    } else if (api.user() !== null) {
        api.forget();
        logInAgain();
    }
}

export const clearProblems = () => document.getElementById('problems')?.replaceChildren();
