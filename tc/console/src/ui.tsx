/* What several pages are made of. */
import type { ComponentChildren } from 'preact';
import { useEffect, useId, useRef, useState } from 'preact/hooks';
import { hasKey, t, word } from './i18n';
import { Problem } from './lib/api';
import { duration, instant } from './lib/format';
import { pretty, printJson, type Json } from './lib/json';
import type { Live } from './lib/live';
import { Link, urlOf } from './lib/router';

export type Tone = 'good' | 'bad' | 'warn' | 'info' | 'mute';

export function toneOfStatus(status: string, hung: boolean): Tone {
	if (hung || /Unretryable|Failed$|STOP|^refused$|^failed$/.test(status)) return 'bad';
	if (/Retry|Timeout(?!Rollbacked$)|^unknown$/.test(status)) return 'warn';
	if (/Committed$|RDONLY|PhaseOne_Done|^done$|^succeeded$/.test(status)) return 'good';
	if (/Rollbacked$|Finished|^compensated$|^skipped$|^dropped$/.test(status)) return 'mute';
	return 'info';
}

export function Status({ status, hung = false, kind = 'status' }: {
	status: string;
	hung?: boolean;
	kind?: 'status' | 'branch' | 'run' | 'is';
}) {
	return (
		<span class={`badge ${toneOfStatus(status, hung)}`} title={status}>
			{hung && <span class="sr">{t('hung')}: </span>}
			{word(kind, status)}
		</span>
	);
}

export function When({ at }: { at: string | null }) {
	if (!at) return <span class="none">–</span>;
	return (
		<time dateTime={at} title={at}>
			{instant(at)}
		</time>
	);
}

export function Span({ ms }: { ms: number | null }) {
	return ms === null ? <span class="none">–</span> : <span class="num">{duration(ms)}</span>;
}

export function XidLink({ xid, kind }: { xid: string; kind?: string | null }) {
	const page = kind === 'saga' ? 'sagas' : kind === 'message' ? 'messages' : 'transactions';
	return (
		<Link class="mono" to={urlOf([page, xid])}>
			{xid}
		</Link>
	);
}

export function sentence(error: Problem): string {
	const key = `problem.${error.code}`;
	return hasKey(key) ? t(key) : t('problem.http', { status: error.status });
}

export function ErrorBox({ error, retry }: { error: Problem; retry?: () => void }) {
	return (
		<div class="notice bad" role="alert">
			<p>
				<strong>{sentence(error)}</strong>
			</p>
			{error.detail && <p class="mono">{error.detail}</p>}
			{retry && (
				<button type="button" onClick={retry}>
					{t('again')}
				</button>
			)}
		</div>
	);
}

export function Loading() {
	return (
		<p class="loading" role="status">
			{t('loading')}
		</p>
	);
}

export function Empty({ children }: { children: ComponentChildren }) {
	return <p class="empty">{children}</p>;
}

/* Loading, an error, or what came; an error beside older data is a notice. */
export function Shown<T>({ live, children }: {
	live: Live<T>;
	children: (data: T) => ComponentChildren;
}) {
	if (live.data === undefined)
		return live.error ? <ErrorBox error={live.error} retry={live.refresh} /> : <Loading />;
	return (
		<>
			{live.error && live.error.code !== 'offline' && (
				<ErrorBox error={live.error} retry={live.refresh} />
			)}
			{children(live.data)}
		</>
	);
}

export function Page({ title, aside, children }: {
	title: string;
	aside?: ComponentChildren;
	children: ComponentChildren;
}) {
	const heading = useRef<HTMLHeadingElement>(null);
	useEffect(() => {
		document.title = `${title} · Treaty`;
	}, [title]);
	return (
		<>
			<div class="head">
				<h1 ref={heading} tabIndex={-1}>
					{title}
				</h1>
				{aside && <div class="actions">{aside}</div>}
			</div>
			{children}
		</>
	);
}

/* A table that may be wider than the window scrolls by itself, by keys too. */
export function Table({ label, heads, busy, children }: {
	label: string;
	heads: (string | { text: string; class: string })[];
	busy?: boolean;
	children: ComponentChildren;
}) {
	return (
		<div class="table" role="region" aria-label={label} tabIndex={0} aria-busy={busy}>
			<table>
				<caption class="sr">{label}</caption>
				<thead>
					<tr>
						{heads.map((h) => (
							<th scope="col" class={typeof h === 'string' ? '' : h.class}>
								{typeof h === 'string' ? h : h.text}
							</th>
						))}
					</tr>
				</thead>
				<tbody>{children}</tbody>
			</table>
		</div>
	);
}

export const right = (text: string) => ({ text, class: 'right' });

/* Names and values of one thing. */
export function Facts({ items }: { items: [string, ComponentChildren][] }) {
	return (
		<dl class="facts">
			{items
				.filter(([, value]) => value !== null && value !== undefined && value !== false && value !== '')
				.map(([name, value]) => (
					<div>
						<dt>{name}</dt>
						<dd>{value}</dd>
					</div>
				))}
		</dl>
	);
}

export function Code({ text }: { text: string }) {
	return <pre class="code">{pretty(text)}</pre>;
}

export function CodeOf({ value }: { value: Json }) {
	return <pre class="code">{printJson(value)}</pre>;
}

/* ---- what changes something ---- */

interface DialogProps {
	title: string;
	explain: string;
	verb: string;
	danger?: boolean;
	needsReason?: boolean;
	extra?: ComponentChildren;
	ready?: boolean;
	act: (reason: string) => Promise<unknown>;
	onClose: (done: boolean) => void;
}

/* Asks for the reason, says what will be done, does it, and tells what came of
 * it; a failure stays to be read. */
export function ActionDialog(p: DialogProps) {
	const dialog = useRef<HTMLDialogElement>(null);
	const [reason, setReason] = useState('');
	const [busy, setBusy] = useState(false);
	const [error, setError] = useState<Problem | undefined>();
	const id = useId();
	const needs = p.needsReason !== false;

	useEffect(() => dialog.current?.showModal(), []);
	const submit = async (e: Event) => {
		e.preventDefault();
		if (busy) return;
		setBusy(true);
		setError(undefined);
		try {
			await p.act(reason.trim());
			p.onClose(true);
		} catch (e) {
			setBusy(false);
			setError(e instanceof Problem ? e : new Problem(0, 'console', String(e)));
		}
	};
	return (
		<dialog
			ref={dialog}
			aria-labelledby={`${id}-title`}
			onCancel={(e) => {
				e.preventDefault();
				if (!busy) p.onClose(false);
			}}
		>
			<form onSubmit={submit}>
				<h2 id={`${id}-title`}>{p.title}</h2>
				<p>{p.explain}</p>
				{p.extra}
				<label class="field">
					<span>{needs ? t('reason') : t('reason.optional')}</span>
					<textarea
						rows={2}
						maxLength={1000}
						required={needs}
						autofocus
						value={reason}
						onInput={(e) => setReason(e.currentTarget.value)}
					/>
				</label>
				{error && <ErrorBox error={error} />}
				<div class="buttons">
					<button type="button" disabled={busy} onClick={() => p.onClose(false)}>
						{t('cancel')}
					</button>
					<button
						type="submit"
						class={p.danger ? 'danger' : 'primary'}
						disabled={busy || p.ready === false || (needs && !reason.trim())}
					>
						{busy ? t('busy') : p.verb}
					</button>
				</div>
			</form>
		</dialog>
	);
}
