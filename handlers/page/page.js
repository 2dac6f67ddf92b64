// The page's frame: login, the parts of the page, and which of them is shown. The address's fragment names it.
import * as api from './api.js';
import {isConfirmation, showConfirmation} from './confirm.js';
import {button, field, foreign, make, told} from './dom.js';
import {showFinds} from './finds.js';
import {showIgnored} from './ignored.js';
import {showHistory, showUnscanned} from './lists.js';
import {showOverview} from './overview.js';
import {reasons, complain, whenLoggedOut} from './problems.js';
import {showQuarantine} from './quarantine.js';
import {showSettings} from './settings.js';
import {say} from './words.js';

const views = {
    overview: showOverview,
    finds: showFinds,
    quarantine: showQuarantine,
    ignored: showIgnored,
    unscanned: showUnscanned,
    history: showHistory,
    settings: showSettings,
};
const unlisted = {confirm: showConfirmation};  // a mail links to it

let shown = new AbortController();  // what belongs to the part that is shown ends with it

function viewName() {
    if (isConfirmation(location.hash)) return 'confirm';
    return Object.hasOwn(views, location.hash.slice(1)) ? location.hash.slice(1) : 'overview';
}

function frame(...content) {
    document.body.replaceChildren(...content, make('div', {id: 'announcements', role: 'status'}));
}

const credential = (name, type, autocomplete) =>
    make('input', {id: name, name, type, autocomplete, required: true, autocapitalize: 'none', spellcheck: 'false'});

function showLogin(why) {
    shown.abort();
    document.title = say('title.of', {view: say('login.heading')});
    const problems = make('div', {id: 'problems', role: 'alert'});
    const submit = make('button', {type: 'submit', class: 'first'}, say('login.submit'));
    const form = make('form', {class: 'login', novalidate: true}, told('h1', 'title'), told('h2', 'login.heading'),
        told('p', 'login.why'), field('login.user', credential('user', 'text', 'username')),
        field('login.password', credential('password', 'password', 'current-password')), submit, problems);
    form.addEventListener('submit', (event) => {
        event.preventDefault();
        logIn(form, submit, problems);
    });
    frame(make('main', {id: 'content'}, form));
    if (why) problems.replaceChildren(told('p', why));
    form.elements.user.focus();
}

async function logIn(form, submit, problems) {
    problems.replaceChildren();
    const {user, password} = form.elements;
    if (user.value === '' || password.value === '') {
        problems.replaceChildren(told('p', 'login.empty'));
        (user.value === '' ? user : password).focus();
        return;
    }
    submit.disabled = true;
    try {
        await api.logIn(user.value, password.value);
        password.value = '';
        showAll();
    } catch (error) {
        problems.replaceChildren(...(error.status === 401 ? [told('p', 'login.wrong')] : reasons(error)));
        submit.disabled = false;
        password.focus();
    }
}

async function logOut() {
    shown.abort();
    showLogin(await api.logOut() ? 'logged_out' : 'logged_out.here');
}

function showAll() {
    const links = Object.keys(views).map((name) =>
        make('li', {}, make('a', {href: `#${name}`, id: `to-${name}`}, say(`view.${name}`))));
    frame(
        make('a', {class: 'skip', href: '#content', onclick: (event) => {
            event.preventDefault();
            document.getElementById('content').focus();
        }}, say('skip')),
        make('header', {}, told('h1', 'title'),
            make('p', {class: 'account'}, told('span', 'account', {user: foreign(api.user())}),
                button('log_out', logOut, {id: 'log-out'})),
            make('nav', {'aria-label': say('navigation')}, make('ul', {}, links))),
        make('main', {id: 'content', tabindex: '-1'}));
    showView();
}

function showView(byOwner = false) {
    if (api.user() === null) return;
    shown.abort();
    shown = new AbortController();
    const name = viewName();
    document.title = say('title.of', {view: say(`view.${name}`)});
    for (const link of document.querySelectorAll('nav a'))
        if (link.id === `to-${name}`) link.setAttribute('aria-current', 'page');
        else link.removeAttribute('aria-current');
    const heading = told('h2', `view.${name}`, {}, {tabindex: '-1'});
    const place = make('div', {});
    document.getElementById('content').replaceChildren(heading, make('div', {id: 'problems', role: 'alert'}), place);
    if (byOwner) heading.focus();
    Promise.resolve({...views, ...unlisted}[name](place, shown.signal)).catch(complain);
}

addEventListener('hashchange', () => showView(true));
whenLoggedOut(() => showLogin('login.ended'));
if (api.user() === null) showLogin();
else showAll();
