// The mails about what scans find: whether, and where to.
import {call, callWithPassword} from './api.js';
import {askForPassword} from './dialog.js';
import {announce, field, foreign, make, told, update} from './dom.js';
import {clearProblems, complain} from './problems.js';
import {say} from './words.js';

const longestCode = 32;

function summary({address, enabled, mails_per_day: most, unconfirmed_address: unconfirmed}) {
    const isOn = enabled === 1 && most > 0;
    const to = address === '' ? told('p', 'mails.local', {}, {id: 'mails-to'})
        : told('p', 'mails.to', {address: foreign(address)}, {id: 'mails-to'});
    return [most === 0 ? told('p', 'mails.switched_off') : null,
        isOn ? to : told('p', 'mails.off', {}, {id: 'mails-to'}),
        isOn ? told('p', 'mails.most', {n: most}) : null,
        unconfirmed === '' ? null : told('p', 'mails.unconfirmed', {address: foreign(unconfirmed)}, {class: 'warning'})];
}

class Mails {
    constructor(place) {
        this.summary = make('div', {});
        this.form = make('div', {});
        place.append(told('h3', 'mails.heading', {}, {id: 'mails-heading'}), told('p', 'mails.what'), this.summary,
            this.form);
    }

    show({data}) {
        this.known = data;
        update(this.summary, summary(data));
        this.form.replaceChildren(...(data.unconfirmed_address === '' ? [] : [this.makeCodeForm()]), this.makeForm());
    }

    makeCodeForm() {
        const code = make('input', {type: 'text', id: 'mails-code', autocomplete: 'off', autocapitalize: 'none',
            spellcheck: 'false', maxlength: longestCode});
        const form = make('form', {class: 'fields', novalidate: true}, field('mails.code', code),
            make('button', {type: 'submit', id: 'confirm-mails'}, say('mails.confirm')));
        form.addEventListener('submit', (event) => {
            event.preventDefault();
            this.confirm(code.value.trim()).catch(complain);
        });
        return form;
    }

    async confirm(code) {
        clearProblems();
        this.show(await call('confirm_notifications', {code}));
        announce('mails.confirmed');
        document.getElementById('save-mails').focus();
    }

    makeForm() {
        this.enabled = make('input', {type: 'checkbox', id: 'mails-enabled'});
        this.enabled.checked = this.known.enabled === 1;
        this.address = make('input', {type: 'text', id: 'mails-address', inputmode: 'email', autocomplete: 'email',
            autocapitalize: 'none', spellcheck: 'false', maxlength: 254, value: this.known.address});
        const form = make('form', {class: 'fields', novalidate: true, 'aria-labelledby': 'mails-heading'},
            make('span', {class: 'box'}, this.enabled, make('label', {for: this.enabled.id}, say('mails.enabled'))),
            field('mails.address', this.address), told('p', 'mails.empty', {}, {class: 'hint'}),
            make('button', {type: 'submit', class: 'first', id: 'save-mails'}, say('mails.save')));
        form.addEventListener('submit', (event) => {
            event.preventDefault();
            this.save().catch(complain);
        });
        return form;
    }

    // What the owner has changed.
    get wanted() {
        const wanted = {};
        if (this.address.value.trim() !== this.known.address) wanted.address = this.address.value.trim();
        if (this.enabled.checked !== (this.known.enabled === 1)) wanted.enabled = this.enabled.checked ? 1 : 0;
        return wanted;
    }

    async save() {
        const {wanted} = this;
        clearProblems();
        if (Object.keys(wanted).length === 0) {
            announce('settings.same');
            return;
        }
        let answer = null;
        await askForPassword('mails.change.heading', [told('p', 'mails.change')], 'mails.save', async (password) => {
            answer = await callWithPassword(password, 'set_notifications', wanted);
        });
        if (answer === null) return;
        this.show(answer);
        announce('settings.saved');
        document.getElementById('save-mails').focus();
    }
}

export async function showMails(place) {
    new Mails(place).show(await call('get_notifications'));
}
