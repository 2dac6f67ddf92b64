// A request may hold so much, at most.
const longest = 8 * 1024 * 1024;  // characters
const mostInRequest = 100_000;

// Of the ids, as many as one request may hold, again and again.
export function batchesOf(ids, most = mostInRequest) {
    const batches = [];
    let length = Infinity;
    for (const id of ids) {
        if (length + id.length > longest || batches.at(-1).length >= most) {
            batches.push([]);
            length = 0;
        }
        batches.at(-1).push(id);
        length += id.length;
    }
    return batches;
}
