/* Rows that were changed from outside since the branch wrote them: what was
 * before, what the branch left, what is there now, and the decision. */
import { useState } from 'preact/hooks';
import { t, word } from '../i18n';
import { path, send } from '../lib/api';
import { Exact, printJson, type Json } from '../lib/json';
import type { Branch, Difference, DirtyColumn, DirtyRow } from '../lib/types';
import { ActionDialog, CodeOf } from '../ui';

/* NULL: nothing is dirty here, or it is of a make that we don't know. */
export function differenceOf(detail: Json): Difference | null {
	if (typeof detail !== 'object' || detail === null || detail instanceof Exact) return null;
	const rows = (detail as { rows?: Json }).rows;
	if (!Array.isArray(rows) || rows.length === 0) return null;
	return detail as unknown as Difference;
}

/* As undo/image.h writes values: null, text, {"base64"}, {"type","text"}. */
export function valueText(value: Json | undefined): string {
	if (value === undefined) return '–';
	if (value === null) return 'NULL';
	if (typeof value === 'string') return value;
	if (typeof value === 'object' && !Array.isArray(value) && !(value instanceof Exact)) {
		if (typeof value.base64 === 'string') return `base64:${value.base64}`;
		if (typeof value.text === 'string') return `(${String(value.type)}) ${value.text}`;
	}
	return printJson(value);
}

export function keyText(row: DirtyRow): string {
	return Object.entries(row.key ?? {})
		.map(([name, value]) => `${name} = ${valueText(value)}`)
		.join(', ');
}

function differs(a: Json | undefined, b: Json | undefined): boolean {
	return valueText(a) !== valueText(b);
}

function Column({ column: c }: { column: DirtyColumn }) {
	const outside = differs(c.after, c.now);
	return (
		<tr class={outside ? 'outside' : ''}>
			<th scope="row" class="mono">
				{c.name} {c.type && <span class="quiet">{c.type}</span>}
			</th>
			<td class="mono wrap">{valueText(c.before)}</td>
			<td class={`mono wrap ${differs(c.before, c.after) ? 'changed' : ''}`}>
				{valueText(c.after)}
			</td>
			<td class={`mono wrap ${outside ? 'dirty' : ''}`}>
				{valueText(c.now)}
				{outside && <span class="sr"> ({t('changed.outside')})</span>}
			</td>
		</tr>
	);
}

function Row({ row }: { row: DirtyRow }) {
	const summary = (['before', 'after', 'now'] as const)
		.filter((when) => row[when])
		.map((when) => `${t(`row.${when}`)}: ${word('row', row[when]!)}`)
		.join(' · ');
	return (
		<div class="dirty-row">
			<h4>
				<span class="mono">
					{row.table} ({keyText(row)})
				</span>
			</h4>
			{summary && <p class="quiet">{summary}</p>}
			{row.reason && <p>{row.reason}</p>}
			{row.columns && row.columns.length > 0 && (
				<table class="difference">
					<caption class="sr">{t('difference.of', { row: `${row.table} ${keyText(row)}` })}</caption>
					<thead>
						<tr>
							<th scope="col">{t('column')}</th>
							<th scope="col">{t('row.before')}</th>
							<th scope="col">{t('row.after')}</th>
							<th scope="col">{t('row.now')}</th>
						</tr>
					</thead>
					<tbody>
						{row.columns.map((c) => (
							<Column column={c} />
						))}
					</tbody>
				</table>
			)}
		</div>
	);
}

export function DirtyRows({ difference }: { difference: Difference }) {
	const more = difference.dirty - difference.rows.length;
	return (
		<div class="dirty-rows">
			<h3>{t('dirty.rows', { n: difference.dirty || difference.rows.length })}</h3>
			{difference.rows.map((row) => (
				<Row row={row} />
			))}
			{more > 0 && <p class="quiet">{t('dirty.more', { n: more })}</p>}
		</div>
	);
}

/* ---- the decision ---- */

type Way = 'use_undo' | 'keep_current' | 'values';

/* One writable cell: the value to write, and whether it is NULL. */
interface Cell {
	text: string;
	isNull: boolean;
}

function cellOf(value: Json | undefined): Cell {
	return { text: value === null || value === undefined ? '' : valueText(value), isNull: value === null };
}

export type Edits = Record<string, Record<string, Cell>>;

/* The document for "values": only what differs from what is there now. */
export function valuesOf(difference: Difference, edits: Edits): Json {
	const rows: Json[] = [];
	difference.rows.forEach((row, i) => {
		const values: { [name: string]: Json } = {};
		for (const column of row.columns ?? []) {
			const cell = edits[i]?.[column.name];
			if (!cell) continue;
			const value = cell.isNull ? null : cell.text;
			if (differs(value, column.now)) values[column.name] = value;
		}
		const one: { [name: string]: Json } = { table: row.table, key: row.key };
		if (row.seen) one.seen = row.seen;
		rows.push(
			Object.keys(values).length > 0
				? { ...one, choice: 'values', values }
				: { ...one, choice: 'keep' },
		);
	});
	return { rows };
}

/* Texts can be typed; what is wrapped ({"base64"}, {"type"}) stays as it is. */
function typeable(column: DirtyColumn): boolean {
	return [column.before, column.after, column.now].every(
		(v) => v === null || v === undefined || typeof v === 'string',
	);
}

function Values({ difference, edits, onEdit }: {
	difference: Difference;
	edits: Edits;
	onEdit: (row: number, column: string, cell: Cell) => void;
}) {
	return (
		<div class="values">
			{difference.rows.map((row, i) => (
				<fieldset>
					<legend class="mono">
						{row.table} ({keyText(row)})
					</legend>
					{(row.columns ?? []).filter(typeable).filter((c) => !(c.name in row.key)).map((c) => {
						const cell = edits[i]?.[c.name] ?? cellOf(c.now);
						return (
							<div class="value-field">
								<label>
									<span class="mono">{c.name}</span>
									<input
										type="text"
										value={cell.text}
										disabled={cell.isNull}
										spellcheck={false}
										onInput={(e) => onEdit(i, c.name, { ...cell, text: e.currentTarget.value })}
									/>
								</label>
								<label class="check">
									<input
										type="checkbox"
										checked={cell.isNull}
										onChange={(e) =>
											onEdit(i, c.name, { ...cell, isNull: e.currentTarget.checked })
										}
									/>
									<span>NULL</span>
								</label>
							</div>
						);
					})}
				</fieldset>
			))}
		</div>
	);
}

/* With `seen` of each row that was shown, so that a row which changed again
 * since stays dirty; without it (older agents) the decision is for all. */
export function resolution(way: Way, difference: Difference, edits: Edits, reason: string): Json {
	if (way === 'values') return { resolution: way, reason, values: valuesOf(difference, edits) };
	const seen = difference.rows.filter((row) => row.seen);
	if (seen.length !== difference.rows.length) return { resolution: way, reason };
	return {
		resolution: way,
		reason,
		rows: seen.map((row) => ({ table: row.table, key: row.key, seen: row.seen! })),
	};
}

export function ResolveDialog({ xid, branch, onClose }: {
	xid: string;
	branch: Branch;
	onClose: (done: boolean) => void;
}) {
	// What was seen when it was opened is what is decided about.
	const [difference] = useState(() => differenceOf(branch.detail)!);
	const [way, setWay] = useState<Way | undefined>();
	const [edits, setEdits] = useState<Edits>({});
	const choice = (value: Way) => (
		<label class="choice">
			<input type="radio" name="way" checked={way === value} onChange={() => setWay(value)} />
			<span>
				<strong>{t(`resolve.${value}`)}</strong>
				<br />
				<span class="quiet">{t(`resolve.${value}.explain`)}</span>
			</span>
		</label>
	);
	return (
		<ActionDialog
			title={t('resolve.branch', { id: branch.id })}
			explain={t('resolve.explain', { xid })}
			verb={t('resolve')}
			danger
			ready={way !== undefined}
			extra={
				<>
					<DirtyRows difference={difference} />
					<fieldset class="choices">
						<legend>{t('resolve.how')}</legend>
						{choice('use_undo')}
						{choice('keep_current')}
						{difference.rows.some((r) => r.columns?.length) && choice('values')}
					</fieldset>
					{way === 'values' && (
						<Values
							difference={difference}
							edits={edits}
							onEdit={(row, column, cell) =>
								setEdits((old) => ({ ...old, [row]: { ...old[row], [column]: cell } }))
							}
						/>
					)}
					{way && (
						<details>
							<summary>{t('resolve.request')}</summary>
							<CodeOf value={resolution(way, difference, edits, '…')} />
						</details>
					)}
				</>
			}
			act={(reason) =>
				send(
					'POST',
					path(['transactions', xid, 'branches', branch.id, 'resolve']),
					resolution(way!, difference, edits, reason),
				)
			}
			onClose={onClose}
		/>
	);
}
