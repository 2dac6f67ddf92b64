// Says what is wrong with an OpenAPI document by Redocly's strict rules, none of them off and some more:
// node lint.mjs DOCUMENT. Its exit status is 1 if there is anything.
import { createConfig, lint } from '@redocly/openapi-core';

const config = await createConfig({
    extends: ['recommended-strict'],
    rules: {
        'component-name-unique': 'error',
        'no-required-schema-properties-undefined': 'error',
        'operation-singular-tag': 'error',
        'operation-tag-defined': 'error',
        'parameter-description': 'error',
    },
});
const problems = await lint({ ref: process.argv[2], config });
for (const { message, ruleId, location } of problems)
    console.log(`${ruleId}: ${message} (${location[0]?.pointer})`);
process.exitCode = problems.length > 0 ? 1 : 0;
