// A list of the interface as a table. The server filters, sorts and cuts it into pages: of a list of 100,000 rows the page
// holds one page of rows alone.
import {call} from './api.js';
import {make, nameText, told} from './dom.js';
import {clearProblems, complain} from './problems.js';
import {phrase, say} from './words.js';

const sizes = [25, 50, 100, 200];
const mostTries = 20;
const betweenTries = 500;  // milliseconds

// What is to be shown: `columns` are {key, cell(row)}, by the server's names, with the `label` of another text if need be;
// `sort` the first one's; `nameOf(row)` names a row for the owner, and `idOf(row)`, if rows can be chosen, is what the
// server knows it by, which several rows may share. `actions(row)` are buttons.
export class PagedTable {
    constructor({list, labelKey, noneKey, columns, sort, reverse = false, numeric = [], nameOf, idOf = null, actions = null,
        onChoice = () => {}}) {
        Object.assign(this, {list, labelKey, noneKey, columns, sort, reverse, numeric, nameOf, idOf, actions, onChoice});
        this.filter = '';
        this.size = sizes[1];
        this.start = 1;
        this.total = 0;
        this.rows = [];
        this.chosen = new Set();
        this.allChosen = false;
        this.boxes = [];  // of the rows that are shown: [box, id]
        this.asked = 0;   // how often the list was asked for
        this.shownBy = {};  // what had asked for the rows that are shown
        this.body = make('div', {class: 'table', role: 'region', tabindex: '0',
            'aria-label': say('table.scrolls', {table: say(labelKey)})});
        this.pager = make('nav', {class: 'pager', 'aria-label': say('table.pages', {table: say(labelKey)})});
        this.choice = make('div', {class: 'choice'});
        this.chosenText = make('span', {role: 'status'});
        this.element = make('section', {'aria-label': say(labelKey)}, this.makeToolbar(),
            this.choice, this.chosenText, this.body, this.pager);
    }

    makeToolbar() {
        const input = make('input', {type: 'search', id: `filter-${this.list}`, autocapitalize: 'none', spellcheck: 'false'});
        const form = make('form', {class: 'toolbar', role: 'search', 'aria-label': say(this.labelKey)},
            make('label', {for: input.id}, say('table.filter')), input,
            make('button', {type: 'submit'}, say('table.apply')));
        form.addEventListener('submit', (event) => {
            event.preventDefault();
            this.filter = input.value;
            this.start = 1;
            this.load();
        });
        return form;
    }

    // What asks for the rows that are meant, of all pages.
    get shaping() {
        const values = {'api.sort_column': this.sort, 'api.sort_reverse': this.reverse ? 1 : 0};
        if (this.numeric.includes(this.sort)) values['api.sort_method'] = 'numeric';
        if (this.filter !== '')
            Object.assign(values, {'api.filter_column': '*', 'api.filter_type': 'contains', 'api.filter_term': this.filter});
        return values;
    }

    // What was asked for before counts for nothing, even if its answer comes later: it may be of another filter.
    async load() {
        const question = ++this.asked;
        const isOutdated = () => question !== this.asked;
        const {shaping} = this;
        this.body.setAttribute('aria-busy', 'true');
        try {
            const {data, metadata} = await call(this.list,
                {...shaping, 'api.paginate_start': this.start, 'api.paginate_size': this.size});
            if (isOutdated()) return;
            this.total = metadata.paginate.total_results;
            // The last page may be gone by now.
            if (data.length === 0 && this.total > 0 && this.start > 1) {
                this.start = Math.max(1, this.total - this.size + 1);
                return await this.load();
            }
            this.rows = data;
            if (shaping['api.filter_term'] !== this.shownBy['api.filter_term']) this.choose(null);
            this.shownBy = shaping;
            if (this.isShown) clearProblems();
            this.show();
        } catch (error) {
            // Of a part of the page that was left, only that the session has ended.
            if (error.status === 401 || (this.isShown && !isOutdated())) complain(error);
        } finally {
            if (!isOutdated()) this.body.removeAttribute('aria-busy');
        }
    }

    get isShown() {
        return this.element.isConnected;
    }

    // For what the server does within moments: the list is asked for again until none of these is in it.
    async loadUntilGone(ids) {
        const isThere = () => this.isShown && this.rows.some((row) => ids.has(this.idOf(row)));
        for (let tries = 0; isThere() && tries < mostTries; ++tries) {
            await new Promise((resolve) => { setTimeout(resolve, betweenTries); });
            await this.load();
        }
    }

    show() {
        const focused = document.activeElement?.id;
        this.boxes = [];
        this.showChoice();
        this.showPager();
        if (this.total === 0) this.body.replaceChildren(told('p', this.filter === '' ? this.noneKey : 'table.none'));
        else this.body.replaceChildren(make('table', {}, make('caption', {class: 'unseen'}, say(this.labelKey)),
            make('thead', {}, this.makeHead()), make('tbody', {}, this.rows.map((row) => this.makeRow(row)))));
        if (focused) document.getElementById(focused)?.focus();
    }

    makeHead() {
        const heads = this.columns.map(({key, label}) => {
            const isSorted = key === this.sort;
            const turn = () => {
                this.reverse = isSorted && !this.reverse;
                this.sort = key;
                this.start = 1;
                this.load();
            };
            const mark = isSorted ? make('span', {'aria-hidden': 'true'}, this.reverse ? ' ▾' : ' ▴') : null;
            return make('th', {scope: 'col', 'aria-sort': isSorted ? (this.reverse ? 'descending' : 'ascending') : 'none'},
                make('button', {type: 'button', class: 'sort', id: `sort-${key}`, onclick: turn},
                    say(label ?? `column.${key}`), mark));
        });
        if (this.idOf) heads.unshift(make('th', {scope: 'col'}, told('span', 'table.chosen_column', {}, {class: 'unseen'})));
        if (this.actions) heads.push(make('th', {scope: 'col'}, told('span', 'table.actions_column', {}, {class: 'unseen'})));
        return make('tr', {}, heads);
    }

    makeRow(row) {
        const cells = this.columns.map(({key, cell}) => make('td', {class: `cell-${key}`}, cell(row)));
        if (this.idOf) cells.unshift(make('td', {}, this.makeBox(row)));
        if (this.actions) cells.push(make('td', {class: 'buttons'}, this.actions(row)));
        return make('tr', {}, cells);
    }

    makeBox(row) {
        const id = this.idOf(row);
        const box = make('input', {type: 'checkbox', 'aria-label': say('table.choose', {name: nameText(this.nameOf(row))})});
        box.checked = this.isChosen(id);
        this.boxes.push([box, id]);
        box.addEventListener('change', () => {
            if (this.allChosen) this.chosen = new Set(this.rows.map(this.idOf));
            this.allChosen = false;
            if (box.checked) this.chosen.add(id);
            else this.chosen.delete(id);
            for (const [other, itsId] of this.boxes) other.checked = this.isChosen(itsId);
            this.showChoice();
        });
        return box;
    }

    isChosen(id) {
        return this.allChosen || this.chosen.has(id);
    }

    get chosenCount() {
        return this.allChosen ? this.total : this.chosen.size;
    }

    // null: none; 'all': of all pages; else these ids.
    choose(which) {
        this.allChosen = which === 'all';
        this.chosen = new Set(which === 'all' ? [] : which ?? []);
    }

    showChoice() {
        if (!this.idOf) return;
        const button = (key, values, which) => make('button', {type: 'button', id: `${key}-${this.list}`, onclick: () => {
            this.choose(which());
            this.show();
        }}, say(key, values));
        const isNone = this.chosenCount === 0;
        this.choice.replaceChildren(...(this.total === 0 ? [] : [
            button('table.choose_page', {}, () => [...this.chosen, ...this.rows.map(this.idOf)]),
            button('table.choose_all', {n: this.total}, () => 'all'),
            isNone ? '' : button('table.choose_none', {}, () => null)]));
        this.chosenText.replaceChildren(...(isNone ? [] : phrase('table.chosen', {n: this.chosenCount})));
        this.onChoice();
    }

    // The ids of all that is chosen: of the list that is shown, not of one that was asked for and has yet to come.
    async chosenIds(column) {
        if (!this.allChosen) return [...this.chosen];
        const {data} = await call(this.list, {...this.shownBy, 'api.columns': column});
        return [...new Set(data.map((row) => row[column]))];
    }

    showPager() {
        const last = Math.min(this.start + this.size - 1, this.total);
        const go = (start) => () => {
            this.start = Math.max(1, start);
            this.load();
        };
        const size = make('select', {id: `size-${this.list}`}, sizes.map((value) =>
            make('option', {value, selected: value === this.size}, String(value))));
        size.addEventListener('change', () => {
            this.size = Number(size.value);
            this.start = 1;
            this.load();
        });
        this.pager.replaceChildren(
            make('button', {type: 'button', id: `previous-${this.list}`, disabled: this.start <= 1,
                onclick: go(this.start - this.size)}, say('table.previous')),
            told('span', 'table.place', {first: this.total === 0 ? 0 : this.start, last, total: this.total}),
            make('button', {type: 'button', id: `next-${this.list}`, disabled: last >= this.total,
                onclick: go(this.start + this.size)}, say('table.next')),
            make('label', {for: size.id}, say('table.size')), size);
    }
}
