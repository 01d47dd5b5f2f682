// What Grafana 13 says a dashboard is, in a form that plain JSON can be checked against: string enums become their values,
// options and field configuration of each panel type are exact.
import type { AnnotationQuery, DashboardLink, DataSourceRef, FieldColor, FieldConfig, FieldConfigSource, Panel, RowPanel, VariableModel, Dashboard } from '@grafana/schema';
import type { FieldColorModeId } from '@grafana/schema/apis/dashboard.grafana.app/v2';
import type * as BarGauge from '@grafana/schema/dist/esm/raw/composable/bargauge/panelcfg/x/BarGaugePanelCfg_types.gen';
import type * as Heatmap from '@grafana/schema/dist/esm/raw/composable/heatmap/panelcfg/x/HeatmapPanelCfg_types.gen';
import type * as Stat from '@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen';
import type * as StateTimeline from '@grafana/schema/dist/esm/raw/composable/statetimeline/panelcfg/x/StateTimelinePanelCfg_types.gen';
import type * as Table from '@grafana/schema/dist/esm/raw/composable/table/panelcfg/x/TablePanelCfg_types.gen';
import type * as TimeSeries from '@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen';

type Lit<T> = unknown extends T ? T
  : T extends string ? `${T}`
  : T extends number | boolean | null | undefined ? T
  : T extends ReadonlyArray<infer U> ? Array<Lit<U>>
  : { [K in keyof T]: Lit<T[K]> };

// The Prometheus data source's query has no generated type in the package; these are the fields that its editor writes.
interface Query {
  datasource: DataSourceRef;
  editorMode: 'code' | 'builder';
  exemplar: boolean;
  expr: string;
  format: 'time_series' | 'table' | 'heatmap';
  instant: boolean;
  legendFormat: string;
  range: boolean;
  refId: string;
}

interface Link { title: string; url: string; targetBlank: boolean }

// The colour modes of the dashboard's second version: the first one's list lacks those that were added last.
type Color = Omit<FieldColor, 'mode'> & { mode: FieldColorModeId };

type Fields<Custom> = Omit<FieldConfigSource, 'defaults'> & {
  defaults: Omit<FieldConfig, 'color' | 'custom' | 'links'> & { color?: Color; custom?: Custom; links?: Link[] };
};

type Typed<Type extends string, Options, Custom> = Lit<
  Omit<Panel, 'type' | 'options' | 'fieldConfig' | 'targets'> & { options: Options; fieldConfig: Fields<Custom> }
> & { type: Type; targets: Query[] };

export interface Panels {
  bargauge: Typed<'bargauge', BarGauge.Options, Record<string, never>>;
  heatmap: Typed<'heatmap', Heatmap.Options, Heatmap.FieldConfig>;
  stat: Typed<'stat', Stat.Options, Record<string, never>>;
  'state-timeline': Typed<'state-timeline', StateTimeline.Options, StateTimeline.FieldConfig>;
  table: Typed<'table', Table.Options, Table.FieldConfig>;
  timeseries: Typed<'timeseries', TimeSeries.Options, TimeSeries.FieldConfig>;
  row: Lit<RowPanel>;
}

// The annotation's query is a Prometheus one; the three text fields and the step are the data source's own.
type Annotation = Lit<Omit<AnnotationQuery, 'target'>> & {
  target: { expr: string; refId: string; range: boolean };
  titleFormat: string;
  textFormat: string;
  useValueForTime: boolean;
  step: string;
};

export type Frame = Lit<Omit<Dashboard, 'panels' | 'annotations' | 'templating' | 'links'>> & {
  annotations: { list: Annotation[] };
  links: Array<Lit<DashboardLink>>;
  templating: { list: Array<Lit<VariableModel>> };
};
