// Does one job with one client: node run.mjs CLIENT JOB. The job's order comes on standard input, a JSON object that
// has the password too, which no command line should; what the job saw goes to standard output, as JSON.
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import * as jobs from './jobs.mjs';

const [clientFile, job] = process.argv.slice(2);
const { connect } = await import(pathToFileURL(clientFile));
const order = JSON.parse(readFileSync(0, 'utf8'));
console.log(JSON.stringify(await jobs[job](connect(order), order)));
