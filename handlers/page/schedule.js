// The scan that begins by itself: how often, of what, and when.
import {call, callWithPassword} from './api.js';
import {askForPassword} from './dialog.js';
import {announce, choice, field, make, serverSays, time, told, update} from './dom.js';
import {clearProblems, complain} from './problems.js';
import {knows, say} from './words.js';

const frequencies = ['never', 'daily', 'weekly'];
const days = ['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday'];
const hours = Array.from({length: 24}, (_, hour) => hour);
const usual = {hour: 3, day: 'monday', type: 'home'};

const clock = (hour) => `${String(hour % 24).padStart(2, '0')}:00`;
const hourText = (hour) => say('schedule.hour_text', {from: clock(hour), until: clock(hour + 1)});
const scopeText = (type) => say(knows(`scope.${type}`) ? `scope.${type}` : 'scope.unknown');

function summary(known, messages) {
    const values = {scope: scopeText(known.scan_type), hour: hourText(known.hour),
        day: known.day && say(`day.${known.day}`)};
    return [told('p', `schedule.is.${known.frequency}`, values, {id: 'schedule-is'}),
        known.next_time > 0 ? told('p', 'schedule.next', {time: time(known.next_time),
            local: serverSays(known.next_time_local)}) : null,
        messages.map((sentence) => serverSays(sentence, 'p'))];
}

// Whether less is scanned than before, or at another time: then the server wants to know that it is the owner.
function weakens(before, wanted) {
    if (before.frequency === 'never') return false;
    if (wanted.frequency === 'never' || wanted.hour !== before.hour) return true;
    return (wanted.frequency === 'weekly' && (before.frequency !== 'weekly' || wanted.day !== before.day)) ||
        (wanted.scan_type !== before.scan_type && wanted.scan_type !== 'home');
}

class Schedule {
    constructor(place, paths) {
        this.place = place;
        this.paths = paths;
        this.summary = make('div', {});
        this.form = make('div', {});
        place.append(told('h3', 'schedule.heading', {}, {id: 'schedule-heading'}), this.summary, this.form);
    }

    show({data, messages}) {
        this.known = data;
        update(this.summary, summary(data, messages ?? []));
        this.form.replaceChildren(...(data.allowed === 0 ? [] : [this.makeForm()]));
    }

    makeForm() {
        const {frequency, hour, day, scan_type: type} = this.known;
        const isOn = frequency !== 'never';
        this.frequency = choice('schedule-frequency', frequencies.map((value) => [value, say(`schedule.${value}`)]), frequency);
        this.type = choice('schedule-type', this.paths.map(({id, message}) =>
            [id, knows(`scope.${id}`) ? say(`scope.${id}`) : message]), type || usual.type);
        this.day = choice('schedule-day', days.map((value) => [value, say(`day.${value}`)]), day || usual.day);
        this.hour = choice('schedule-hour', hours.map((value) => [value, hourText(value)]), isOn ? hour : usual.hour);
        const whenOn = make('div', {class: 'group'}, field('schedule.what', this.type), field('schedule.hour', this.hour));
        const whenWeekly = make('div', {class: 'group'}, field('schedule.day', this.day));
        const hide = () => {
            whenOn.hidden = this.frequency.value === 'never';
            whenWeekly.hidden = this.frequency.value !== 'weekly';
        };
        this.frequency.addEventListener('change', hide);
        hide();
        const form = make('form', {class: 'fields', 'aria-labelledby': 'schedule-heading'},
            field('schedule.frequency', this.frequency), whenWeekly, whenOn, told('p', 'schedule.clock', {}, {class: 'hint'}),
            make('button', {type: 'submit', class: 'first', id: 'save-schedule'}, say('schedule.save')));
        form.addEventListener('submit', (event) => {
            event.preventDefault();
            this.save().catch(complain);
        });
        return form;
    }

    get wanted() {
        const frequency = this.frequency.value;
        if (frequency === 'never') return {frequency};
        const wanted = {frequency, scan_type: this.type.value, hour: Number(this.hour.value)};
        return frequency === 'weekly' ? {...wanted, day: this.day.value} : wanted;
    }

    async save() {
        const {wanted} = this;
        let answer = null;
        const set = async (password) => {
            answer = await (password === null ? call('set_schedule', wanted)
                : callWithPassword(password, 'set_schedule', wanted));
        };
        if (weakens(this.known, wanted))
            await askForPassword('schedule.weaken.heading', [told('p', 'schedule.weaken')], 'schedule.save', set);
        else await set(null);
        if (answer === null) return;
        clearProblems();
        this.show(answer);
        announce('settings.saved');
        document.getElementById('save-schedule')?.focus();
    }
}

export async function showSchedule(place) {
    const [known, paths] = await Promise.all([call('get_schedule'), call('get_scan_paths')]);
    new Schedule(place, paths.data).show(known);
}
