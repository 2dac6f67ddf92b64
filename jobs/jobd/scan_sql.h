// What a row of the table task says of a scan, as SQL. `row`: the table or its alias.
#pragma once

// The value of ScanPhase. A scan that has begun counts as running even while it waits for its next turn.
#define PHASE_OF(row)                                                                           \
    "(CASE WHEN " row ".state = 2 THEN CASE " row ".outcome WHEN 1 THEN 2 ELSE 3 END WHEN " row \
    ".starts > 0 THEN 1 ELSE 0 END)"

// Finding nothing proves nothing: it had only the test signatures, or files are ignored although they are infected, or
// the scanner itself did not get something done (TimeLimit and ScannerFailed). A file that its owner has made
// unreadable, encrypted or too large says nothing about the scan.
#define PROVES_NOTHING(row)                                                                         \
    "(" row ".embedded OR " row                                                                     \
    ".ignored_files > 0 OR EXISTS (SELECT 1 FROM unscanned_count WHERE unscanned_count.task = " row \
    ".id AND "                                                                                      \
    "reason IN (3, 7) AND files > 0))"

#define UNSCANNED_FILES(row) \
    "(SELECT coalesce(sum(files), 0) FROM unscanned_count WHERE unscanned_count.task = " row ".id)"
