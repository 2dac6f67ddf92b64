// Makes calls with the library, one after the other: node calls.cjs BUILT. What to call comes on standard input, as JSON
// (the token too, which no command line should have); what the library gave goes to standard output.
const { readFileSync } = require('node:fs');
const path = require('node:path');

const built = process.argv[2];
const library = require(path.join(built, 'index.js'));
const { mexecute } = require(path.join(built, 'modules', 'index.js'));
const { uri, username, token, calls } = JSON.parse(readFileSync(0, 'utf8'));

library.default({ cpanelUri: uri, username, token });
(async () => {
    const answers = [];
    for (const [module, name, parameters] of calls)
        answers.push(await mexecute({ module, functionEP: { function: name, parameters: parameters ?? undefined } }));
    console.log(JSON.stringify(answers));
})();
