// Two small pictures, drawn of numbers. What they show is beside them as text.
import {draw, make, told} from './dom.js';
import {number, say} from './words.js';

const width = 600;

// `parts`: [name, count]; the name is that of a text and of a colour.
export function bar(parts) {
    const total = parts.reduce((sum, [, count]) => sum + count, 0);
    if (total === 0) return null;
    let left = 0;
    const pieces = parts.filter(([, count]) => count > 0).map(([name, count]) => {
        // What is there is seen, however little it is.
        const wide = Math.max(4, count / total * width);
        const piece = draw('rect', {class: `part-${name}`, x: left, y: 0, width: wide, height: 20});
        left += wide;
        return piece;
    });
    const legend = parts.map(([name, count]) => make('li', {},
        draw('svg', {class: 'key', viewBox: '0 0 1 1', 'aria-hidden': 'true'},
            draw('rect', {class: `part-${name}`, width: 1, height: 1})),
        `${say(`picture.${name}`)}: ${number(count)}`));
    return make('figure', {}, told('figcaption', 'picture.verdicts'),
        draw('svg', {viewBox: `0 0 ${left} 20`, preserveAspectRatio: 'none', class: 'bar', 'aria-hidden': 'true'}, pieces),
        make('ul', {class: 'legend'}, legend));
}

// `finds`: how many each scan found, the oldest first.
export function line(finds) {
    if (finds.length < 2) return null;
    const most = Math.max(...finds);
    const height = 80;
    const at = (count, i) => `${i / (finds.length - 1) * width},${height - (most === 0 ? 0 : count / most * height)}`;
    return make('figure', {}, told('figcaption', 'picture.finds'),
        draw('svg', {viewBox: `-4 -4 ${width + 8} ${height + 8}`, class: 'line', 'aria-hidden': 'true'},
            draw('polyline', {points: finds.map(at).join(' ')}),
            finds.map((count, i) => draw('circle', {cx: at(count, i).split(',')[0], cy: at(count, i).split(',')[1], r: 3}))),
        told('p', 'picture.finds.text', {n: finds.length, most}));
}
