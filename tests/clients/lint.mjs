// Says what is wrong with an OpenAPI document: node lint.mjs LINTER DOCUMENT. Its exit status is 1 if there is anything.
import { readFileSync } from 'node:fs';

const linters = {
    /** By Redocly's strict rules, none of them off and some more. */
    async redocly(document) {
        const { createConfig, lint } = await import('@redocly/openapi-core');
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
        const problems = await lint({ ref: document, config });
        return problems.map(({ message, ruleId, location }) => `${ruleId}: ${message} (${location[0]?.pointer})`);
    },

    /** By Spectral's own rules for OpenAPI, warnings and hints included. */
    async spectral(document) {
        const { default: core } = await import('@stoplight/spectral-core');
        const { default: parsers } = await import('@stoplight/spectral-parsers');
        const { default: rulesets } = await import('@stoplight/spectral-rulesets');
        const spectral = new core.Spectral();
        spectral.setRuleset({ extends: [rulesets.oas] });
        const problems = await spectral.run(new core.Document(readFileSync(document, 'utf8'), parsers.Yaml, document));
        return problems.map(({ message, code, path }) => `${code}: ${message} (${path.join('.')})`);
    },

    /** By the schema of OpenAPI 3.1, every reference resolved. */
    async 'swagger-parser'(document) {
        const { default: parser } = await import('@apidevtools/swagger-parser');
        try {
            await parser.validate(document);
            return [];
        } catch (wrong) {
            return [wrong.message];
        }
    },
};

const [linter, document] = process.argv.slice(2);
const problems = await linters[linter](document);
for (const problem of problems) console.log(problem.replaceAll('\n', ' '));
process.exitCode = problems.length > 0 ? 1 : 0;
