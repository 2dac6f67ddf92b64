// Questions that the owner must answer before the page goes on.
import {make, told} from './dom.js';
import {say} from './words.js';

// Shows a dialog; the value of the button that closed it, "" for none. `buttons`: [value, key, class]; the first has the
// focus, so that it is what the Enter key does: let it be the harmless one.
export function ask(headingKey, content, buttons) {
    const caller = document.activeElement;
    return new Promise((resolve) => {
        const heading = told('h2', headingKey, {}, {id: 'dialog-heading'});
        const row = buttons.map(([value, key, style]) =>
            make('button', {type: 'submit', value, class: style, id: `answer-${value}`}, say(key)));
        const dialog = make('dialog', {'aria-labelledby': 'dialog-heading'},
            make('form', {method: 'dialog'}, heading, content, make('div', {class: 'buttons'}, row)));
        dialog.addEventListener('close', () => {
            dialog.remove();
            if (caller?.isConnected) caller.focus();
            resolve(dialog.returnValue);
        });
        document.body.append(dialog);
        dialog.showModal();
        row[0].focus();
    });
}
