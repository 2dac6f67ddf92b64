// Makes a client of an OpenAPI document: node generate.mjs DOCUMENT DIRECTORY.
import { createClient } from '@hey-api/openapi-ts';

const [input, path] = process.argv.slice(2);
await createClient({
    input,
    output: { path, format: null, lint: null },
    plugins: ['@hey-api/client-fetch', '@hey-api/sdk', '@hey-api/typescript'],
    logs: { level: 'silent', file: false },
});
