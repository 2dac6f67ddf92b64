// What the name of a signature says about a file, in plain words: the key of a text. The first that fits counts.
const kinds = [
    ['test', /eicar|clamav[.-]test|test[._-]?(file|signature|virus)/i],
    ['pua', /(^|\.)PUA\./],
    ['phishing', /phish|\.scam\b|fakebank/i],
    ['heuristic', /^Heuristics\./],
    ['webshell', /web-?shell|php\.(backdoor|shell|webshell)|\b(c99|r57|b374k|wso|filesman)|\.shell\b/i],
    ['macro', /macro|^(doc|xls|ole2|office|rtf)\.|\.(doc|xls)\b/i],
    ['miner', /miner|coinhive/i],
    ['ransom', /ransom|locker/i],
    ['exploit', /exploit|cve[_-]?\d/i],
    ['script', /^(js|html|php|perl|vbs|asp|py|unix|bash)\./i],
    ['windows', /^win(32|64)?\./i],
    ['trojan', /trojan|backdoor|dropper|downloader/i],
    ['archive', /^(zip|rar|archive)\./i],
];

export const kindOf = (signature) => `kind.${kinds.find(([, pattern]) => pattern.test(signature))?.[0] ?? 'other'}`;
