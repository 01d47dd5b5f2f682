// Draws a dashboard's panels with Grafana's own components on one static page: what a browser needs to make a picture.
// `window.BOARD` holds the panels, the answers of Prometheus and the time range. Heatmap and state timeline are no part of
// @grafana/ui: `grids.jsx` stands in for them.
import '@fontsource/inter/400.css';
import '@fontsource/inter/500.css';
import {
  applyFieldOverrides,
  cacheFieldDisplayNames,
  createTheme,
  dateTime,
  FieldConfigOptionsRegistry,
  FieldType,
  getFieldDisplayValues,
  identityOverrideProcessor,
  standardTransformers,
  standardTransformersRegistry,
  ThemeContext,
  toDataFrame,
  transformDataFrame,
  VizOrientation,
} from '@grafana/data';
import { BarGauge, BigValue, GlobalStyles, PanelChrome, TimeSeries, VizRepeater } from '@grafana/ui';
import { TableNG } from '@grafana/ui/unstable';
import { useEffect, useState } from 'react';
import { createRoot } from 'react-dom/client';
import { firstValueFrom } from 'rxjs';
import { heatmap, stateTimeline } from './grids';

const { title, panels, from, to } = window.BOARD;
const theme = createTheme({ colors: { mode: 'dark' } });
const timeRange = { from: dateTime(from * 1000), to: dateTime(to * 1000), raw: { from: dateTime(from * 1000), to: dateTime(to * 1000) } };
const replaceVariables = (text) => text;

standardTransformersRegistry.setInit(() =>
  [...new Map(Object.values(standardTransformers).map((each) => [each.id, each])).values()].map((each) => ({ id: each.id, name: each.name, transformation: async () => each }))
);

// Grafana registers the options of fields in its application; the ids that the dashboards use are all that is needed here.
const PLAIN = ['unit', 'decimals', 'min', 'max', 'noValue', 'mappings', 'thresholds', 'color', 'links', 'displayName'];
function registryOf(fieldConfig) {
  const custom = new Set(Object.keys(fieldConfig.defaults.custom ?? {}));
  fieldConfig.overrides.forEach((each) =>
    each.properties.forEach(({ id }) => id.startsWith('custom.') && custom.add(id.slice('custom.'.length)))
  );
  const item = (path, isCustom) => ({
    id: isCustom ? `custom.${path}` : path, path, name: path, isCustom,
    process: identityOverrideProcessor, shouldApply: () => true, override: () => null, editor: () => null, settings: {},
  });
  return new FieldConfigOptionsRegistry(() => [...PLAIN.map((each) => item(each, false)), ...[...custom].map((each) => item(each, true))]);
}

function legend(target, labels) {
  if (target.legendFormat === '__auto') {
    const inside = Object.entries(labels).filter(([name]) => name !== '__name__').map(([name, value]) => `${name}="${value}"`);
    return Object.keys(labels).length === 1 ? Object.values(labels)[0] : `{${inside.join(', ')}}`;
  }
  return target.legendFormat.replace(/\{\{\s*(\w+)\s*\}\}/g, (_, name) => labels[name] ?? '');
}

function seriesFrame({ target, result }, step) {
  return result.map(({ metric, values, value }) => {
    const samples = values ?? [value];
    const at = new Map(samples.map(([time, number]) => [Math.round(time), Number(number)]));
    const times = values ? Array.from({ length: Math.floor((to - from) / step) + 1 }, (_, index) => from + index * step) : [samples[0][0]];
    return toDataFrame({
      refId: target.refId,
      fields: [
        { name: 'Time', type: FieldType.time, values: times.map((time) => time * 1000), config: {} },
        {
          name: 'Value', type: FieldType.number, labels: metric,
          values: times.map((time) => at.get(Math.round(time)) ?? null), config: { displayNameFromDS: legend(target, metric) },
        },
      ],
    });
  });
}

function tableFrame({ target, result }, alone) {
  const labels = [...new Set(result.flatMap(({ metric }) => Object.keys(metric)))].sort();
  return toDataFrame({
    refId: target.refId,
    fields: [
      { name: 'Time', type: FieldType.time, values: result.map(() => to * 1000), config: {} },
      ...labels.map((label) => ({ name: label, type: FieldType.string, values: result.map(({ metric }) => metric[label]), config: {} })),
      { name: alone ? 'Value' : `Value #${target.refId}`, type: FieldType.number, values: result.map(({ value }) => Number(value[1])), config: {} },
    ],
  });
}

async function dataOf({ panel, answers, step }) {
  const tabular = panel.type === 'table';
  let frames = tabular ? answers.map((each) => tableFrame(each, answers.length === 1)) : answers.flatMap((each) => seriesFrame(each, step));
  if (panel.transformations) {
    frames = await firstValueFrom(transformDataFrame(panel.transformations, frames));
  }
  const shown = applyFieldOverrides({
    data: frames, fieldConfig: panel.fieldConfig, fieldConfigRegistry: registryOf(panel.fieldConfig), replaceVariables, theme, timeZone: 'utc',
  });
  cacheFieldDisplayNames(shown);
  return shown;
}

const DRAWN = {
  heatmap: (given) => heatmap({ ...given, timeRange, theme }),
  'state-timeline': (given) => stateTimeline({ ...given, timeRange, theme }),
  timeseries: ({ panel, data, width, height }) => (
    <TimeSeries frames={data} structureRev={1} width={width} height={height} timeRange={timeRange} timeZone="utc" legend={panel.options.legend} options={panel.options} />
  ),
  stat: ({ panel, data, width, height }) => <Values panel={panel} data={data} width={width} height={height} draw={(shown) => (
    <BigValue value={shown.value} sparkline={shown.sparkline} width={shown.width} height={shown.height} theme={theme}
      colorMode={panel.options.colorMode} graphMode={panel.options.graphMode} justifyMode={panel.options.justifyMode}
      textMode={panel.options.textMode} count={shown.count} wideLayout={panel.options.wideLayout} />
  )} orientation={panel.options.orientation === 'auto' ? VizOrientation.Auto : VizOrientation.Vertical} />,
  bargauge: ({ panel, data, width, height }) => <Values panel={panel} data={data} width={width} height={height} draw={(shown) => (
    <BarGauge {...shown} theme={theme} orientation={VizOrientation.Horizontal} displayMode={panel.options.displayMode}
      showUnfilled={panel.options.showUnfilled} valueDisplayMode={panel.options.valueMode} namePlacement={panel.options.namePlacement} />
  )} orientation={VizOrientation.Horizontal} tallest={panel.options.maxVizHeight} />,
  table: ({ panel, data, width, height }) => (
    <TableNG data={data[0]} width={width} height={height} theme={theme} timeRange={timeRange} enableSharedCrosshair={false}
      cellHeight={panel.options.cellHeight} getActions={() => []} structureRev={1} transparent={false} disableSanitizeHtml={false} fieldConfig={panel.fieldConfig} sortBy={panel.options.sortBy} />
  ),
};

function Values({ panel, data, width, height, draw, orientation, tallest }) {
  const values = getFieldDisplayValues({
    data, theme, replaceVariables, timeZone: 'utc', fieldConfig: panel.fieldConfig, reduceOptions: panel.options.reduceOptions, sparkline: panel.options.graphMode === 'area',
  });
  const longest = { text: '0'.repeat(Math.max(...values.map(({ display }) => display.text.length))), title: '0'.repeat(Math.max(...values.map(({ display }) => (display.title ?? '').length))) };
  return (
    <VizRepeater source={values} getValues={() => values} getAlignmentFactors={() => longest} renderCounter={1} width={width} height={height}
      orientation={orientation} itemSpacing={8} autoGrid={false} minVizHeight={16} maxVizHeight={tallest} minVizWidth={8}
      renderValue={({ value, width, height, count, alignmentFactors }) => draw({
        value: value.display, display: value.view?.getFieldDisplayProcessor?.(value.colIndex ?? 0), field: value.field,
        sparkline: value.sparkline, width, height, count, alignmentFactors,
      })} />
  );
}

function Panel(given) {
  const { panel, place } = given;
  const [data, setData] = useState(null);
  useEffect(() => void dataOf(given).then(setData, (error) => document.body.append(`FAILED ${panel.title}: ${error.stack}`)), []);
  const [width, height] = [place.width, place.height];
  const Draw = DRAWN[panel.type];
  return (
    <div style={{ position: 'absolute', left: place.left, top: place.top, width, height }} data-panel={panel.title}>
      <PanelChrome title={panel.title} width={width} height={height} padding={panel.type === 'table' ? 'none' : 'md'}>
        {(innerWidth, innerHeight) => data && <Draw panel={panel} data={data} width={innerWidth} height={innerHeight} />}
      </PanelChrome>
    </div>
  );
}

const MARGIN = 16;
await Promise.all([document.fonts.load('400 14px Inter'), document.fonts.load('500 14px Inter')]);
createRoot(document.getElementById('root')).render(
  <ThemeContext.Provider value={theme}>
    <GlobalStyles isExtensionSidebarOpen={false} />
    <div style={{ position: 'relative', padding: MARGIN, background: theme.colors.background.canvas, minHeight: '100vh' }}>
      {title && <div style={{ font: '500 20px Inter', color: theme.colors.text.primary, height: 40, lineHeight: '28px' }}>{title}</div>}
      {panels.map((each, index) =>
        each.panel.type === 'row' ? (
          <div key={index} style={{ position: 'absolute', left: each.place.left, top: each.place.top, font: '500 16px/34px Inter', color: theme.colors.text.secondary }}>
            {each.panel.title}
          </div>
        ) : (
          <Panel key={index} {...each} />
        )
      )}
    </div>
  </ThemeContext.Provider>
);
