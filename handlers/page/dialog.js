// Questions that the owner must answer before the page goes on.
import {user} from './api.js';
import {button, field, make, told} from './dom.js';
import {reasons} from './problems.js';
import {say} from './words.js';

// Shows it; what had the focus gets it back when it is closed.
function open(dialog, focused, closed) {
    const caller = document.activeElement;
    dialog.addEventListener('close', () => {
        dialog.remove();
        if (caller?.isConnected) caller.focus();
        closed();
    });
    document.body.append(dialog);
    dialog.showModal();
    focused.focus();
}

const headed = (headingKey) => told('h2', headingKey, {}, {id: 'dialog-heading'});
const framed = (form) => make('dialog', {'aria-labelledby': 'dialog-heading'}, form);

// Shows a dialog; the value of the button that closed it, "" for none. `buttons`: [value, key, class]; the first has the
// focus, so that it is what the Enter key does: let it be the harmless one.
export function ask(headingKey, content, buttons) {
    return new Promise((resolve) => {
        const row = buttons.map(([value, key, style]) =>
            make('button', {type: 'submit', value, class: style, id: `answer-${value}`}, say(key)));
        const dialog = framed(
            make('form', {method: 'dialog'}, headed(headingKey), content, make('div', {class: 'buttons'}, row)));
        open(dialog, row[0], () => resolve(dialog.returnValue));
    });
}

// The name of the first field that must be filled in and is not, in the owner's words.
function firstEmpty(form) {
    const input = [...form.querySelectorAll('[required]')].find(({value}) => value === '');
    return input && {input, name: form.querySelector(`label[for=${input.id}]`).textContent};
}

function refusal(error) {
    return error.status === 401 ? [told('p', 'password.wrong')] : reasons(error);
}

// For what makes the protection weaker: asks for the password, whatever the session may do, since whoever finds this page
// open has the session. `act(password)` is called with what was filled in, and nothing else keeps it. A refusal is said in
// the dialog, which stays open; true once `act` has succeeded, false if the owner cancels.
export function askForPassword(headingKey, content, submitKey, act) {
    return new Promise((resolve) => {
        let isDone = false;
        let isBusy = false;
        const name = make('input', {type: 'text', value: user(), autocomplete: 'username', readonly: true, hidden: true});
        const password = make('input', {id: 'password-again', type: 'password', autocomplete: 'current-password',
            required: true});
        const problems = make('div', {class: 'problems', role: 'alert'});
        const submit = make('button', {type: 'submit', class: 'first', id: 'answer-confirm'}, say(submitKey));
        const cancel = button('cancel', () => dialog.close(), {id: 'answer-cancel'});
        const form = make('form', {class: 'fields', novalidate: true}, headed(headingKey), content, name,
            field('password.again', password), told('p', 'password.why', {}, {class: 'hint'}), problems,
            make('div', {class: 'buttons'}, cancel, submit));
        const dialog = framed(form);
        const setBusy = (value) => {
            isBusy = value;
            submit.disabled = value;
            cancel.disabled = value;
        };
        const carryOut = async () => {
            const given = password.value;
            setBusy(true);
            try {
                await act(given);
                isDone = true;
                dialog.close();
            } catch (error) {
                problems.replaceChildren(...refusal(error));
                setBusy(false);
                password.focus();
            }
            password.value = '';
        };
        dialog.addEventListener('cancel', (event) => {
            if (isBusy) event.preventDefault();
        });
        form.addEventListener('submit', (event) => {
            event.preventDefault();
            if (isBusy) return;
            const empty = firstEmpty(form);
            problems.replaceChildren(...(empty ? [told('p', 'dialog.empty', {field: empty.name})] : []));
            if (empty) empty.input.focus();
            else carryOut();
        });
        open(dialog, form.querySelector('input:not([hidden]), select'), () => resolve(isDone));
    });
}
