// An address for the mails about finds is confirmed: the mail with the code links to #confirm=CODE.
import {call} from './api.js';
import {button, foreign, told} from './dom.js';
import {clearProblems, complain} from './problems.js';

export const isConfirmation = (fragment) => /^#confirm=[0-9a-f]{1,32}$/.test(fragment);

export async function showConfirmation(place) {
    const code = location.hash.slice('#confirm='.length);
    const confirm = async () => {
        clearProblems();
        try {
            const {data} = await call('confirm_notifications', {code});
            place.replaceChildren(told('p', 'confirm.done', {address: foreign(data.address)}));
        } catch (error) {
            complain(error);
        }
    };
    place.replaceChildren(told('p', 'confirm.why'), button('confirm.submit', confirm, {class: 'first'}));
}
