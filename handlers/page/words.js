// Every text that the page shows, but for what the server says. A text has {names} for what is put in; one that depends
// on a number {n} has a form for each plural category of the language.
const english = {
    'title': 'Virus scanner',
    'title.of': '{view} – Virus scanner',
    'skip': 'Skip to the content',
    'navigation': 'Parts of this page',
    'account': 'Account {user}',
    'log_out': 'Log out',
    'loading': 'Loading …',
    'close': 'Close',
    'cancel': 'Cancel',
    'unknown': 'unknown',

    'view.overview': 'Overview',
    'view.finds': 'Infected files',
    'view.quarantine': 'Quarantine',
    'view.ignored': 'Ignored',
    'view.unscanned': 'Not scanned',
    'view.history': 'History',
    'view.settings': 'Settings',
    'view.confirm': 'Confirm an address',

    'login.heading': 'Log in',
    'login.why': 'With the name and the password of your hosting account. The password is used once, for a key that ' +
        'ends by itself after two hours or when you log out, and is not kept.',
    'login.user': 'Account name',
    'login.password': 'Password',
    'login.submit': 'Log in',
    'login.wrong': 'The name or the password is wrong.',
    'login.ended': 'You have been logged out, since the key of this page has ended. Please log in again.',
    'login.empty': 'Please fill in both the name and the password.',
    'logged_out': 'You are logged out.',
    'logged_out.here': 'You are logged out here, but the server did not answer: the key of this page ends by itself within ' +
        'two hours.',

    'password.again': 'Your password',
    'password.why': 'This makes your protection weaker, so it is not enough that you are logged in. The password is used ' +
        'for this alone, and is not kept.',
    'password.wrong': 'The password is wrong.',
    'dialog.empty': 'Please fill in: {field}',

    'confirm.why': 'From then on, mails about infected files of this account go to the address that got this link.',
    'confirm.submit': 'Confirm the address',
    'confirm.done': 'Mails about infected files go to {address} now.',

    'error.unreachable': 'The server does not answer. Is the network there?',
    'error.wait': {one: 'Please wait for {n} second, then try again.', other: 'Please wait for {n} seconds, then try again.'},
    'error.strange': 'The answer of the server is not what it should be.',
    'error.says': 'The server says:',

    'verdict.heading': 'The state of your files',
    'verdict.never': 'Your files have never been scanned.',
    'verdict.queued': 'A scan of {scope} waits for its turn.',
    'verdict.running': 'A scan of {scope} is running.',
    'verdict.infected': {
        one: '{n} infected file was found and is still there. It needs your decision.',
        other: '{n} infected files were found and are still there. They need your decision.',
    },
    'verdict.so_far': {
        one: '{n} infected file has been found so far.',
        other: '{n} infected files have been found so far.',
    },
    'verdict.handled': {
        one: 'The infected file that was found is no longer in its place.',
        other: 'The {n} infected files that were found are no longer in their places.',
    },
    'verdict.unscanned': {
        one: 'Nothing infected was found, but {n} file could not be scanned: nobody knows whether that one is infected.',
        other: 'Nothing infected was found, but {n} files could not be scanned: nobody knows whether those are infected.',
    },
    'verdict.early': 'The last scan did not come to its end, so it says nothing about all of your files.',
    'verdict.warned': 'Nothing infected was found, but the scan was not a full one: read the notes below.',
    'verdict.empty': 'There were no files to scan.',
    'verdict.clean': {one: 'Clean: {n} file was scanned, and it is not infected.',
        other: 'Clean: all {n} files were scanned, and none is infected.'},
    'verdict.also_unscanned': {
        one: 'Besides, {n} file could not be scanned.',
        other: 'Besides, {n} files could not be scanned.',
    },
    'verdict.ignored': {
        one: 'Nothing else was found, but {n} infected file is ignored, as you or your administrator asked.',
        other: 'Nothing else was found, but {n} infected files are ignored, as you or your administrator asked.',
    },
    'verdict.also_ignored': {
        one: 'Besides, {n} infected file is ignored, as you or your administrator asked.',
        other: 'Besides, {n} infected files are ignored, as you or your administrator asked.',
    },
    'queue.before': {one: 'At the moment {n} job comes before it.', other: 'At the moment {n} jobs come before it.'},
    'queue.next': 'At the moment it is the next.',
    'verdict.when': 'Scanned: {scope}, ended {time}.',
    'verdict.began': 'Asked for {time}.',
    'verdict.look': 'Look at the infected files',
    'verdict.why_unscanned': 'See which files were not scanned, and why',
    'verdict.see_ignored': 'See what is ignored',

    'scope.home': 'the whole home directory',
    'scope.mail': 'the mail',
    'scope.public_html': 'the web site',
    'scope.public_ftp': 'the files of the FTP server',
    'scope.unknown': 'your files',

    'notes.heading': 'Notes of the scanner',

    'scan.heading': 'Start a scan',
    'scan.what': 'What to scan',
    'scan.full': 'Also read files that are known to be clean (slower)',
    'scan.start': 'Start the scan',
    'scan.started': 'The scan was started.',
    'scan.none': 'There is nothing that may be scanned here.',
    'scan.progress': 'Progress of the scan',
    'scan.count': '{done} of {total} files',
    'scan.counting': 'Counting the files …',
    'scan.current': 'At the moment: {file}',
    'scan.closable': 'You may close this page: the scan goes on, and this page shows it when you are back.',
    'scan.cancel': 'Cancel the scan',
    'scan.cancelled': 'The scan is being cancelled.',
    'scan.over': 'The scan has ended.',

    'picture.verdicts': 'The last scan’s files by verdict',
    'picture.clean': 'Clean',
    'picture.infected': 'Infected',
    'picture.unscanned': 'Not scanned',
    'picture.ignored': 'Ignored',
    'picture.waiting': 'Not reached yet',
    'picture.finds': 'Infected files found by each scan',
    'picture.finds.text': {one: '{n} scan; the most that one found: {most}.', other: '{n} scans; the most that one found: {most}.'},

    'next.heading': 'What to do next',
    'next.why': 'Taking the files away does not close the way by which they came.',
    'next.quarantine': 'Put the infected files into quarantine. That can be undone.',
    'next.passwords': 'Change the passwords of the account, of its mailboxes, databases and web applications – from a ' +
        'computer that you trust.',
    'next.update': 'Update your web applications with all their plug-ins and themes, and delete what you do not use.',
    'next.uploads': 'Look through the directories that visitors can upload to, and for files that you do not know.',
    'next.users': 'Look for administrators of your web applications that you did not make.',
    'next.backup': 'If a file is needed, restore it from a backup that is older than the infection.',
    'next.scan': 'Scan again, with all files read, until nothing is found.',

    'export': 'Save all of this as JSON',
    'export.ready': 'The file was made.',

    'table.filter': 'Show only rows that contain',
    'table.apply': 'Show',
    'table.none': 'Nothing to show.',
    'table.size': 'Rows on a page',
    'table.previous': 'Previous page',
    'table.next': 'Next page',
    'table.pages': 'Pages of {table}',
    'table.place': '{first} to {last} of {total}',
    'table.choose': 'Choose {name}',
    'table.choose_page': 'Choose all rows on this page',
    'table.choose_all': {one: 'Choose all {n} row', other: 'Choose all {n} rows'},
    'table.choose_none': 'Choose none',
    'table.chosen': {one: '{n} chosen', other: '{n} chosen'},
    'table.chosen_column': 'Chosen',
    'table.actions_column': 'Actions',
    'table.scrolls': '{table}: scroll sideways to see all columns',

    'column.file': 'File',
    'column.virus_type': 'What it is',
    'column.time': 'When',
    'column.kept_until': 'Kept at least until',
    'column.size': 'Size',
    'column.first_found': 'Found first',
    'column.reason': 'Why it was not scanned',
    'column.why': 'Why it is ignored',
    'column.expires': 'Until when',
    'column.action': 'What',
    'column.by': 'Who',
    'column.message': 'Details',
    'column.result': 'How it ended',
    'column.state': 'State',

    'finds.none': 'The list of infected files is empty.',
    'finds.quarantine': 'Put into quarantine',
    'finds.delete': 'Delete …',
    'finds.ignore': 'Ignore …',
    'finds.look': 'Look inside',
    'finds.look_at': 'Look inside {name}',
    'finds.default': 'In quarantine a file can do no harm, and it can be brought back. Deleting is for good. Ignore only ' +
        'what you know to be harmless.',
    'finds.collecting': 'Collecting the names of the files …',

    'kind.test': 'Test file: harmless, made to try virus scanners out',
    'kind.webshell': 'Web shell: lets strangers control your site',
    'kind.phishing': 'Phishing: made to steal passwords or money',
    'kind.macro': 'Office file with a hostile macro',
    'kind.pua': 'Unwanted program: not always harmful, often unwelcome',
    'kind.heuristic': 'Suspicion: looks like something harmful, but may be harmless',
    'kind.miner': 'Miner: uses the computer for somebody else’s money',
    'kind.ransom': 'Ransomware: encrypts files for money',
    'kind.exploit': 'Exploit: uses a weakness of a program to break in',
    'kind.script': 'Hostile script',
    'kind.windows': 'Hostile program for Windows',
    'kind.trojan': 'Trojan horse: does something else than it claims',
    'kind.archive': 'Archive with something harmful in it',
    'kind.other': 'Harmful file',

    'look.heading': 'Look inside',
    'look.text': 'Shown as text. Nothing of it is run.',
    'look.hex': 'Not a text, so shown as hexadecimal digits and letters.',
    'look.size': '{size} in all.',
    'look.times': 'The file was last changed: {changed}. It was first found: {first}. The last scan found it: {last}.',
    'look.cut': 'Only the first 64 KiB are shown.',
    'look.content': 'What the file begins with',

    'delete.heading': 'Delete for good?',
    'delete.plan': {one: 'This would be done with {n} file. Nothing has been done yet.',
        other: 'This would be done with {n} files. Nothing has been done yet.'},
    'delete.more': {one: '… and {n} more.', other: '… and {n} more.'},
    'delete.continue': 'I want to delete',
    'delete.sure.heading': 'Are you sure?',
    'delete.sure': {one: '{n} file will be gone, and nobody can bring it back.',
        other: '{n} files will be gone, and nobody can bring them back.'},
    'delete.instead': 'Quarantine instead',
    'delete.do': 'Delete for good',

    'state.deleted': 'deleted',
    'state.quarantined': 'put into quarantine',
    'state.no-action': 'left alone',
    'state.mailbox-cleansed': 'infected messages taken out of the mailbox',
    'state.error': 'not done',
    'state.warning': 'warning',
    'state.success': 'done',
    'state.info': 'done, but not for all files',
    'state.restored': 'restored',
    'state.ignored': 'ignored',
    'state.ended': 'found again',
    'state.pending': 'still being done',
    'state.plan.deleted': 'would be deleted',
    'state.plan.quarantined': 'would be put into quarantine',

    'steps.heading': 'What is being done with the files',
    'steps.queued': 'This waits for its turn.',
    'steps.running': {one: '{n} step so far.', other: '{n} steps so far.'},
    'steps.of': '{done} of {total} steps so far.',
    'steps.progress': 'Progress of the steps',
    'steps.done': {one: 'All has been done: {n} step.', other: 'All has been done: {n} steps.'},
    'steps.not_all': {
        one: 'This has ended, but not everything was done: {n} step.',
        other: 'This has ended, but not everything was done: {n} steps.',
    },
    'steps.log': 'The latest steps',
    'steps.batch': 'Part {part} of {parts}',
    'steps.keep_open': 'Please keep this page open until the last part has begun.',

    'quarantine.none': 'The quarantine is empty.',
    'quarantine.restore': 'Restore',
    'quarantine.discard': 'Delete for good …',
    'quarantine.clean': 'Clean by today’s signatures: may be restored',
    'quarantine.kept': 'Not deleted by itself',
    'quarantine.left': {one: '{n} day left', other: '{n} days left'},
    'quarantine.restore.heading': 'Restore?',
    'quarantine.restore.ask': {one: '{n} file goes back to its place, where it can do harm again if it is infected.',
        other: '{n} files go back to their places, where they can do harm again if they are infected.'},
    'quarantine.discard.ask': {one: '{n} file in quarantine would be deleted.', other: '{n} files in quarantine would be deleted.'},
    'quarantine.result': 'What became of it',

    'ignore.heading': 'Ignore?',
    'ignore.what': 'An ignored file stays where it is and goes on doing what it does. It is called infected no longer, ' +
        'nor is it called clean. Ignore only what you know to be harmless. If you are not sure, choose quarantine: it ' +
        'loses nothing.',
    'ignore.content': 'What is ignored is what the file holds today, together with the name by which it was found: the ' +
        'same content is ignored anywhere in your account. A file that changes, or that is found by another name, is found again.',
    'ignore.files': {one: '{n} file:', other: '{n} files:'},
    'ignore.reason': 'Why it is harmless',
    'ignore.until': 'Ignore it for',
    'ignore.days': {one: '{n} day', other: '{n} days'},
    'ignore.for_ever': 'ever',
    'ignore.do': 'Ignore',
    'ignore.done': {one: '{n} file is ignored.', other: '{n} files are ignored.'},

    'ignored.none': 'Nothing is ignored.',
    'ignored.what': 'These are infected by what the scanner knows, but are ignored, as you or your administrator asked. Every ' +
        'scan looks at them all the same: one that changes is found again. What is chosen here is found again wherever it lies.',
    'ignored.not_met': 'The last scan did not meet it.',
    'ignored.for_ever': 'for ever',
    'ignored.again': 'Find it again',
    'ignored.ended': {
        one: '{n} is no longer ignored. If the last scan met it, it is among the infected files again within moments.',
        other: '{n} are no longer ignored. Those that the last scan met are among the infected files again within moments.',
    },

    'settings.saved': 'Saved.',
    'settings.same': 'Nothing was changed.',

    'schedule.heading': 'Scans that begin by themselves',
    'schedule.is.never': 'No scan begins by itself.',
    'schedule.is.daily': 'Each day, {hour}: a scan of {scope}.',
    'schedule.is.weekly': 'Each week on {day}, {hour}: a scan of {scope}.',
    'schedule.next': 'The next one begins {time} – by the clock of the server: {local}.',
    'schedule.frequency': 'How often',
    'schedule.never': 'Never',
    'schedule.daily': 'Each day',
    'schedule.weekly': 'Each week',
    'schedule.day': 'On which day',
    'schedule.what': 'What to scan',
    'schedule.hour': 'When it may begin',
    'schedule.hour_text': 'between {from} and {until}',
    'schedule.clock': 'By the clock of the server. Scans that somebody starts come first.',
    'schedule.save': 'Save the schedule',
    'schedule.weaken.heading': 'Change the schedule?',
    'schedule.weaken': 'Less will be scanned than before, or at another time: something harmful may stay unnoticed for longer.',
    'day.monday': 'Monday',
    'day.tuesday': 'Tuesday',
    'day.wednesday': 'Wednesday',
    'day.thursday': 'Thursday',
    'day.friday': 'Friday',
    'day.saturday': 'Saturday',
    'day.sunday': 'Sunday',

    'mails.heading': 'Mails about infected files',
    'mails.what': 'When a scan finds something that is new, a mail says what, where, and what to do.',
    'mails.to': 'These mails go to {address}.',
    'mails.local': 'These mails go to the mailbox of the account on this server.',
    'mails.off': 'No such mails are sent to you.',
    'mails.switched_off': 'Your administrator has switched these mails off.',
    'mails.most': {one: 'At most {n} mail a day.', other: 'At most {n} mails a day.'},
    'mails.unconfirmed': 'A mail with a code was sent to {address}. That address counts once you have given the code here, ' +
        'or followed the link in the mail, within a day.',
    'mails.code': 'The code from that mail',
    'mails.confirm': 'Confirm the address',
    'mails.confirmed': 'The address is confirmed.',
    'mails.enabled': 'Send me mails about infected files',
    'mails.address': 'Mail address',
    'mails.empty': 'Without one, the mails go to the mailbox of the account on this server.',
    'mails.save': 'Save',
    'mails.change.heading': 'Change where mails go?',
    'mails.change': 'Whatever has infected an account would like its owner not to hear of it, so only you may change this. ' +
        'A new address gets a code first, and the old one is told.',

    'unscanned.none': 'There is no such file.',
    'unscanned.why': 'Of these files nobody knows whether they are infected.',
    'reason.unreadable': 'could not be read: look at the file’s permissions',
    'reason.too large': 'too large to be scanned',
    'reason.limit exceeded': 'too complicated: only a part of it was scanned',
    'reason.time limit': 'took too long',
    'reason.encrypted': 'encrypted: nobody can look into it without its password',
    'reason.vanished': 'was gone before its turn came',
    'reason.damaged archive': 'damaged, so not all of it could be read',
    'reason.scanner failed': 'the scanner failed on it',
    'reason.cancelled': 'the scan was cancelled before',
    'reason.other file system': 'on another file system',
    'reason.too large inside': 'holds something that is too large',
    'reason.unsupported archive': 'an archive of a kind that cannot be opened',
    'reason.ended early': 'the scan ended before',

    'by.owner': 'You, with your password',
    'by.page': 'You, on this page',
    'by.administrator': 'Your administrator',
    'by.schedule': 'A schedule',
    'by.shell': 'A program of the account’s',
    'by.key': 'A program with an access key',
    'by.time': 'Nobody: its time was over',
    'by.schedule automatically': 'The server by itself, after a scan by a schedule',
    'by.administrator automatically': 'The server by itself, after your administrator’s scan',

    'history.none': 'Nothing has been done yet.',
    'history.scan': 'Scan of {scope}',
    'history.disinfection': 'Quarantine or deletion of infected files',
    'history.restoration': 'Restoring or deleting of files in quarantine',
    'history.ignore_files': 'Ignoring of infected files',
    'history.unignore_files': 'End of ignoring',
    'history.set_schedule': 'Change of the schedule',
    'history.set_notifications': 'Change of the mails about infected files',
    'history.confirm_notifications': 'Confirmation of a mail address',
    'result.queued': 'waits',
    'result.running': 'is being done',
    'result.completed': 'completed',
    'result.ended early': 'ended early',
    'result.cancelled': 'cancelled',

    'bytes.b': {one: '{n} byte', other: '{n} bytes'},
    'bytes.k': '{n} KiB',
    'bytes.m': '{n} MiB',
    'bytes.g': '{n} GiB',
};

const language = 'en';

// For the tests, ?lang=pseudo: every letter of the catalogue becomes another, so that any that is left is from nowhere.
const isPseudo = new URLSearchParams(location.search).get('lang') === 'pseudo';
const plain = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ';
const strange = [...'áƀçđéƒĝĥíĵķłɱñóƥɋřšťúṽŵẋýžÁɃÇĐÉƑĜĤÍĴĶŁṀÑÓƤɊŘŠŤÚṼŴẊÝŽ'];
const pseudo = (text) => [...text].map((letter) => strange[plain.indexOf(letter)] ?? letter).join('');
const shown = (text) => (isPseudo ? pseudo(text) : text);

const plurals = new Intl.PluralRules(language);
const numbers = new Intl.NumberFormat(language);
const times = new Intl.DateTimeFormat(language, {dateStyle: 'medium', timeStyle: 'short'});

export const number = (value) => numbers.format(value);
export const timeText = (seconds) => times.format(new Date(seconds * 1000));

export const knows = (key) => key in english;

// The text with nodes and texts put in: an array of both.
export function phrase(key, values = {}) {
    let text = english[key];
    if (text === undefined) throw new Error(`no text ${key}`);
    if (typeof text === 'object') text = text[plurals.select(values.n)] ?? text.other;
    return text.split(/(\{[a-z]+\})/).filter((part) => part !== '').map((part) => {
        if (!part.startsWith('{')) return shown(part);
        const value = values[part.slice(1, -1)];
        return typeof value === 'number' ? number(value) : value;
    });
}

// The same where all that is put in is text or a number.
export const say = (key, values) => phrase(key, values).join('');

export function sizeText(bytes) {
    for (const [unit, from] of [['g', 1024 ** 3], ['m', 1024 ** 2], ['k', 1024]])
        if (bytes >= from) return say(`bytes.${unit}`, {n: Math.round(bytes / from * 10) / 10});
    return say('bytes.b', {n: bytes});
}
