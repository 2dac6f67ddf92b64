// The same calls by the client that is generated from the OpenAPI document into generated/. The compiler holds what
// is asked and read here against the document's types.
import { createClient } from './generated/client';
import * as sdk from './generated/sdk.gen';
import type { Actions, QuarantineIds, Refusal, ScanType } from './generated/types.gen';

interface Envelope<Success> {
    apiversion: 3;
    module: string;
    result: Success | Refusal;
}

interface Outcome<Success> {
    data?: Envelope<Success>;
    error?: Envelope<never>;
    response: Response;
}

export function connect({ base, user, password }: { base: string; user: string; password: string }) {
    const client = createClient({ baseUrl: base, auth: `${user}:${password}` });

    async function told<Success extends { status: 1 }>(outcome: Promise<Outcome<Success>>) {
        const { data, error, response } = await outcome;
        const envelope = data ?? error;
        if (!envelope) throw new Error(`no envelope with the status ${response.status}`);
        return { http: response.status, ...envelope.result };
    }

    return {
        scanStatus: () => told(sdk.getScanStatus({ client })),
        startScan: (scan_type: ScanType) => told(sdk.startScan({ client, body: { scan_type } })),
        cancelScan: () => told(sdk.cancelScan({ client })),
        unscannedFiles: () => told(sdk.listUnscannedFiles({ client })),
        infectedFiles: () => told(sdk.listInfectedFiles({ client })),
        pageOfInfectedFiles: ({ containing, size, page }: { containing: string; size: number; page: number }) =>
            told(
                sdk.listInfectedFiles({
                    client,
                    query: {
                        'api.filter_column': 'file',
                        'api.filter_type': 'contains',
                        'api.filter_term': containing,
                        'api.sort_column': 'file',
                        'api.sort_reverse': 1,
                        'api.paginate_start': (page - 1) * size + 1,
                        'api.paginate_size': size,
                    },
                }),
            ),
        disinfect: (actions: Actions) => told(sdk.disinfectFiles({ client, body: { actions } })),
        planDisinfection: (actions: Actions) => told(sdk.disinfectFiles({ client, body: { actions, dry_run: 1 } })),
        disinfectionStatus: (lastId: number) =>
            told(sdk.checkDisinfectionStatus({ client, query: lastId > 0 ? { last_id: lastId } : {} })),
        quarantinedFiles: () => told(sdk.listQuarantinedFiles({ client })),
        restore: (ids: QuarantineIds) => told(sdk.restoreQuarantinedFiles({ client, body: { ids } })),
        deleteQuarantined: (ids: QuarantineIds) => told(sdk.deleteQuarantinedFiles({ client, body: { ids } })),
    };
}
