// What a page of a panel does by hand: posts forms to the live addresses below its session, and reads `status`, `data`,
// `errors` and `metadata` at the top of the answer.

export function connect({ base, user, password }) {
    const login = 'Basic ' + Buffer.from(`${user}:${password}`).toString('base64');

    const call = (name, form = {}) => send(name, new URLSearchParams(form));

    async function send(name, body, headers = {}) {
        const response = await fetch(`${base}/cpsess0123456789/execute/ClamScanner/${name}`, {
            method: 'POST',
            headers: { authorization: login, ...headers },
            body,
        });
        const { status, data, errors, metadata, messages, warnings } = await response.json();
        return { http: response.status, status, data, errors, metadata, messages, warnings };
    }

    return {
        scanStatus: () => call('get_scan_status'),
        startScan: (scanType) => call('start_scan', { scan_type: scanType }),
        cancelScan: () => call('cancel_scan'),
        unscannedFiles: () => call('list_unscanned_files'),
        infectedFiles: () => call('list_infected_files'),
        // With numbers, as client libraries for UAPI write them.
        pageOfInfectedFiles: ({ containing, size, page }) =>
            call('list_infected_files', {
                'api.filter_column_0': 'file',
                'api.filter_type_0': 'contains',
                'api.filter_term_0': containing,
                'api.sort': 1,
                'api.sort_column_0': 'file',
                'api.sort_reverse_0': 1,
                'api.sort_method_0': 'lexicographic',
                'api.paginate': 1,
                'api.paginate_start': (page - 1) * size + 1,
                'api.paginate_size': size,
            }),
        disinfect: (actions) => call('disinfect_files', { actions: JSON.stringify(actions) }),
        disinfectInPieces: (actions) =>
            call('disinfect_files', Object.entries(actions).map(([path, action]) => [`actions[${path}]`, action])),
        disinfectByBlob: (actions) => {
            const form = new FormData();
            form.append('actions', new Blob([JSON.stringify(actions)], { type: 'application/json' }));
            form.append('dry_run', new Blob(['0']));
            return send('disinfect_files', form);
        },
        disinfectByWholeBody: (actions) =>
            send('disinfect_files', JSON.stringify(actions), { 'content-type': 'application/json' }),
        planDisinfection: (actions) => call('disinfect_files', { actions: JSON.stringify(actions), dry_run: 1 }),
        disinfectionStatus: (lastId) => call('check_disinfection_status', lastId > 0 ? { last_id: lastId } : {}),
        quarantinedFiles: () => call('list_quarantined_files'),
        restore: (ids) => call('restore_quarantined_files', { ids: JSON.stringify(ids) }),
        deleteQuarantined: (ids) => call('delete_quarantined_files', { ids: JSON.stringify(ids) }),
    };
}
