// Heatmap and state timeline, whose panels live in Grafana's application: the same data on the same chart engine, with
// Grafana's axes, units, colours and value mappings. Stand-ins for looking at; the real ones have tooltips and legends.
import { fieldColorModeRegistry, getFieldDisplayName, getValueFormat, formattedValueToString } from '@grafana/data';
import { AxisPlacement, ScaleDirection, ScaleOrientation } from '@grafana/schema';
import { UPlotChart, UPlotConfigBuilder } from '@grafana/ui';

const number = (frame) => frame.fields.find(({ type }) => type === 'number');
const times = (frame) => frame.fields.find(({ type }) => type === 'time').values;

// A chart of rows from bottom to top; `paint` gets the chart and a function from (time, row) to a rectangle.
function rows({ labels, width, height, timeRange, theme, step, paint }) {
  const [from, to] = [timeRange.from.valueOf(), timeRange.to.valueOf()];
  const builder = new UPlotConfigBuilder('utc');
  builder.addScale({ scaleKey: 'x', isTime: true, orientation: ScaleOrientation.Horizontal, direction: ScaleDirection.Right, range: () => [from, to] });
  builder.addScale({ scaleKey: 'y', orientation: ScaleOrientation.Vertical, direction: ScaleDirection.Up, range: () => [0, labels.length] });
  builder.addAxis({ scaleKey: 'x', isTime: true, placement: AxisPlacement.Bottom, theme, timeZone: 'utc' });
  const every = Math.ceil((labels.length * 18) / height);
  const shown = labels.map((_, index) => index + 0.5).filter((_, index) => index % every === 0);
  builder.addAxis({ scaleKey: 'y', placement: AxisPlacement.Left, theme, size: 20 + 7 * Math.max(...labels.map((each) => each.length)), grid: { show: false }, splits: () => shown, values: (_, at) => at.map((each) => labels[Math.floor(each)]) });
  builder.addSeries({ scaleKey: 'y', theme, show: true, pathBuilder: () => null, pointsFilter: () => [] });
  builder.addHook('draw', (plot) => {
    plot.ctx.save();
    paint(plot.ctx, (time, row, until = time + step) => {
      const [left, right] = [time, until].map((each) => plot.valToPos(Math.min(Math.max(each, from), to), 'x', true));
      const [top, bottom] = [row + 1, row].map((each) => plot.valToPos(each, 'y', true));
      return [left, top, right - left, bottom - top];
    });
    plot.ctx.restore();
  });
  return <UPlotChart data={[[from, to], [null, null]]} width={width} height={height} config={builder} timeRange={timeRange} />;
}

// Prometheus counts a bucket with all smaller ones: a cell is the difference to the row below.
export function heatmap({ panel, data, width, height, timeRange, theme }) {
  const bound = (frame) => (number(frame).labels.le === '+Inf' ? Infinity : Number(number(frame).labels.le));
  const sorted = [...data].sort((a, b) => bound(a) - bound(b));
  const cells = sorted.map((frame, row) => number(frame).values.map((value, at) => Math.max(0, (value ?? 0) - (row ? number(sorted[row - 1]).values[at] ?? 0 : 0))));
  const used = cells.map((row) => row.some((value) => value > 0.01));
  const [first, last] = [Math.max(0, used.indexOf(true) - 1), Math.min(cells.length - 1, used.lastIndexOf(true) + 1)];
  const most = Math.max(...cells.flat());
  const format = getValueFormat(panel.options.yAxis.unit);
  const colour = fieldColorModeRegistry.get(`continuous-${panel.options.color.scheme.toLowerCase()}`).getInterpolator();
  const at = times(sorted[0]);
  return rows({
    labels: sorted.slice(first, last + 1).map((frame) => (bound(frame) === Infinity ? '+Inf' : formattedValueToString(format(bound(frame))))),
    width, height, timeRange, theme, step: at[1] - at[0],
    paint: (context, rectangle) => cells.slice(first, last + 1).forEach((row, index) => row.forEach((value, column) => {
      if (value > panel.options.filterValues.le) {
        context.fillStyle = colour((value / most) ** panel.options.color.exponent);
        const [left, top, wide, high] = rectangle(at[column], index);
        context.fillRect(left, top + 1, wide + 0.5, high - 1);
      }
    })),
  });
}

// A band per series; neighbours that are alike are one, with its word inside where there is room.
export function stateTimeline({ panel, data, width, height, timeRange, theme }) {
  const upwards = [...data].reverse();
  const step = times(data[0])[1] - times(data[0])[0];
  return rows({
    labels: upwards.map((frame) => getFieldDisplayName(number(frame), frame, data)),
    width, height, timeRange, theme, step,
    paint: (context, rectangle) => upwards.forEach((frame, row) => {
      const field = number(frame);
      const at = times(frame);
      for (let begin = 0, end = 0; begin < at.length; begin = end) {
        for (end = begin + 1; end < at.length && field.values[end] === field.values[begin]; end++);
        if (field.values[begin] === null) continue;
        const { text, color } = field.display(field.values[begin]);
        const [left, top, wide, high] = rectangle(at[begin], row, at[end - 1] + step);
        const inset = (high * (1 - panel.options.rowHeight)) / 2;
        context.fillStyle = color;
        context.fillRect(left, top + inset, wide, high - 2 * inset);
        context.font = `${12 * devicePixelRatio}px Inter`;
        context.fillStyle = theme.colors.getContrastText(color);
        context.textAlign = 'left';
        context.textBaseline = 'middle';
        if (context.measureText(text).width + 8 < wide) context.fillText(text, left + 4, top + high / 2);
      }
    }),
  });
}
