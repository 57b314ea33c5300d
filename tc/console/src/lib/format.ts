/* Numbers, spans and instants as the reader's language writes them. */
import { language, type Lang } from '../i18n';

const cache = new Map<string, Intl.NumberFormat | Intl.DateTimeFormat>();

function numbers(lang: Lang, options: Intl.NumberFormatOptions): Intl.NumberFormat {
	const key = lang + JSON.stringify(options);
	let found = cache.get(key) as Intl.NumberFormat | undefined;
	if (!found) cache.set(key, (found = new Intl.NumberFormat(locale(lang), options)));
	return found;
}

function dates(lang: Lang, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
	const key = 'date' + lang + JSON.stringify(options);
	let found = cache.get(key) as Intl.DateTimeFormat | undefined;
	if (!found) cache.set(key, (found = new Intl.DateTimeFormat(locale(lang), options)));
	return found;
}

function locale(lang: Lang): string {
	return lang === 'zh' ? 'zh-CN' : 'en-GB';
}

export function number(n: number, lang: Lang = language.get()): string {
	return numbers(lang, { maximumFractionDigits: 2 }).format(n);
}

export function rate(perSecond: number, lang: Lang = language.get()): string {
	const digits = perSecond >= 100 ? 0 : perSecond >= 10 ? 1 : 2;
	return numbers(lang, { maximumFractionDigits: digits }).format(perSecond);
}

const UNITS: [Intl.NumberFormatOptions['unit'], number][] = [
	['day', 86_400_000],
	['hour', 3_600_000],
	['minute', 60_000],
	['second', 1000],
];

/* The two largest units: "2h 5m"; below ten seconds with fractions. */
export function duration(ms: number, lang: Lang = language.get()): string {
	const one = (unit: string, n: number, digits = 0) =>
		numbers(lang, {
			style: 'unit',
			unit,
			unitDisplay: 'narrow',
			maximumFractionDigits: digits,
		}).format(n);
	if (ms < 1000) return one('millisecond', Math.round(ms));
	if (ms < 10_000) return one('second', Math.floor(ms / 10) / 100, 2);
	const at = UNITS.findIndex(([, size]) => ms >= size);
	const [unit, size] = UNITS[at];
	const whole = one(unit!, Math.floor(ms / size));
	const next = UNITS[at + 1];
	const rest = next ? Math.floor((ms % size) / next[1]) : 0;
	return rest > 0 ? `${whole} ${one(next[0]!, rest)}` : whole;
}

export function instant(at: string, lang: Lang = language.get()): string {
	return dates(lang, {
		year: 'numeric',
		month: '2-digit',
		day: '2-digit',
		hour: '2-digit',
		minute: '2-digit',
		second: '2-digit',
		fractionalSecondDigits: 3,
		hourCycle: 'h23',
	} as Intl.DateTimeFormatOptions).format(new Date(at));
}

export function clock(at: number, lang: Lang = language.get()): string {
	return dates(lang, {
		hour: '2-digit',
		minute: '2-digit',
		second: '2-digit',
		hourCycle: 'h23',
	}).format(new Date(at));
}

/* "127.0.0.1:7090:42" is long; its number tells it apart. */
export function shortXid(xid: string): string {
	return xid.slice(xid.lastIndexOf(':') + 1);
}
