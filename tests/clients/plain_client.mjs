// What a page of a panel does by hand: posts forms to the live addresses below its session, and reads `status`, `data`,
// `errors` and `metadata` at the top of the answer.

export function connect({ base, user, password }) {
    const login = 'Basic ' + Buffer.from(`${user}:${password}`).toString('base64');

    async function call(name, form = {}) {
        const response = await fetch(`${base}/cpsess0123456789/execute/ClamScanner/${name}`, {
            method: 'POST',
            headers: { authorization: login },
            body: new URLSearchParams(form),
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
        planDisinfection: (actions) => call('disinfect_files', { actions: JSON.stringify(actions), dry_run: 1 }),
        disinfectionStatus: (lastId) => call('check_disinfection_status', lastId > 0 ? { last_id: lastId } : {}),
        quarantinedFiles: () => call('list_quarantined_files'),
        restore: (ids) => call('restore_quarantined_files', { ids: JSON.stringify(ids) }),
        deleteQuarantined: (ids) => call('delete_quarantined_files', { ids: JSON.stringify(ids) }),
    };
}
