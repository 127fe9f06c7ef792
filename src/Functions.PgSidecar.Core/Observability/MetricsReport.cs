using System.Globalization;
using System.Text;
using Functions.PgSidecar.Core.Events;
using Functions.PgSidecar.Core.Invocations;
using Functions.PgSidecar.Core.Registry;
using Functions.PgSidecar.Postgres.Data;
using Functions.PgSidecar.Sandbox.JavaScript;
using Functions.PgSidecar.Sandbox.Programs;
using Functions.PgSidecar.Sandbox.Wasi;

namespace Functions.PgSidecar.Core.Observability;

/// <summary>Everything that is measured, in Prometheus' text format 0.0.4. Names of functions are plain identifiers and need no escaping.</summary>
internal sealed class MetricsReport(
    InvocationMetrics metrics, InvocationLog log, Invoker invoker, JavaScriptEngine engine, WasmEngine modules, ProgramCache programs, EventMetrics events,
    FunctionDatabase database, MemoryBudget memory)
{
    /// <summary>The report of this moment.</summary>
    public string Write()
    {
        var text = new StringBuilder(4096);
        var functions = metrics.Functions.ToList();
        WriteOutcomes(text, functions);
        WriteDurations(text, functions);
        Header(text, "functions_memory_bytes", "gauge", "Memory peak of the last invocation.");
        foreach (var (name, function) in functions)
            text.Append(CultureInfo.InvariantCulture, $"functions_memory_bytes{{function=\"{name}\"}} {function.MemoryPeak}\n");
        Single(text, "functions_sandbox_memory_bytes", "gauge", "Memory of all invocations together: instances, idle ones included, bodies and results.", memory.Used);
        Single(text, "functions_sandbox_memory_limit_bytes", "gauge", "The most that may be (PGFN_MEMORY_LIMIT).", memory.Limit);
        Single(text, "functions_running", "gauge", "Invocations that run now.", invoker.Running);
        Single(text, "functions_waiting", "gauge", "Invocations that wait for admission now.", invoker.Waiting);
        Single(text, "functions_sandbox_threads", "gauge", "Threads that run functions in JavaScript.", engine.ThreadCount);
        Single(text, "functions_module_threads", "gauge", "Threads that run WebAssembly modules, those that wait included.", modules.ThreadCount);
        Single(text, "functions_images", "gauge", "Compiled images that the process holds: the JavaScript engine's, and one for each module that is loaded.", 1 + WasmEngine.LoadedModules);
        Single(text, "functions_program_loads_total", "counter", "Programs that were read from the registry, ready to run.", programs.Loads);
        Header(text, "functions_program_load_seconds_total", "counter", "Time that took.");
        text.Append(CultureInfo.InvariantCulture, $"functions_program_load_seconds_total {programs.LoadTime.TotalSeconds}\n");
        Single(text, "functions_log_lines_dropped_total", "counter", "Log lines that could not be kept.", log.DroppedLines);
        Single(text, "functions_log_lines_cut_total", "counter", "Log lines dropped by the limits of an invocation or a function.", log.CutLines);
        Single(text, "functions_log_bytes_cut_total", "counter", "The bytes of those lines.", log.CutBytes);
        Single(text, "functions_log_invocations_dropped_total", "counter", "Invocation records that could not be kept.", log.DroppedRecords);
        Single(text, "functions_database_abandoned_backends", "gauge", "PostgreSQL processes that still run a statement which neither its timeout nor a cancel has ended.", database.AbandonedBackendCount);
        WriteEvents(text);
        return text.ToString();
    }

    private void WriteEvents(StringBuilder text)
    {
        Single(text, "functions_events_delivered_total", "counter", "Events that were delivered by this sidecar.", events.Delivered);
        Single(text, "functions_events_retried_total", "counter", "Deliveries that failed and are tried again.", events.Retried);
        Single(text, "functions_events_dead_total", "counter", "Events that this sidecar gave up.", events.Dead);
        Single(text, "functions_replication_leader", "gauge", "1 where this sidecar reads the WAL.", events.Leads ? 1 : 0);
        var figures = events.Figures;
        Single(text, "functions_events_pending", "gauge", "Events that wait in the inbox, at the last look.", figures.Pending);
        Single(text, "functions_events_oldest_seconds", "gauge", "Age of the oldest event that is not done.", (long)figures.OldestSeconds);
        Single(text, "functions_events_held", "gauge", "Events that waited in the database that this one was copied from (functions.adopt).", figures.Held);
        Single(text, "functions_dead_letters", "gauge", "Dead letters that nobody has seen to.", figures.DeadLetters);
        Single(text, "functions_replication_lag_bytes", "gauge", "WAL that was written and not acknowledged.", figures.LagBytes);
        Single(text, "functions_replication_incidents", "gauge", "Incidents that are open.", figures.OpenIncidents);
    }

    private static void WriteOutcomes(StringBuilder text, List<KeyValuePair<string, FunctionMetrics>> functions)
    {
        Header(text, "functions_invocations_total", "counter", "Invocations by outcome.");
        foreach (var (name, function) in functions)
        {
            foreach (var outcome in Enum.GetValues<InvocationOutcome>())
            {
                if (function.Count(outcome) is var count and > 0)
                    text.Append(CultureInfo.InvariantCulture, $"functions_invocations_total{{function=\"{name}\",status=\"{InvocationEntry.Name(outcome)}\"}} {count}\n");
            }
        }
        Header(text, "functions_timeout_total", "counter", "Invocations that ran out of time.");
        foreach (var (name, function) in functions)
            text.Append(CultureInfo.InvariantCulture, $"functions_timeout_total{{function=\"{name}\"}} {function.Count(InvocationOutcome.TimedOut)}\n");
        Header(text, "functions_errors_total", "counter", "Invocations that did not succeed.");
        foreach (var (name, function) in functions)
        {
            var errors = Enum.GetValues<InvocationOutcome>().Where(outcome => outcome != InvocationOutcome.Succeeded).Sum(function.Count);
            text.Append(CultureInfo.InvariantCulture, $"functions_errors_total{{function=\"{name}\"}} {errors}\n");
        }
    }

    private static void WriteDurations(StringBuilder text, List<KeyValuePair<string, FunctionMetrics>> functions)
    {
        const string name = "functions_duration_seconds";
        Header(text, name, "histogram", "Time from admission to the end of an invocation.");
        foreach (var (function, counts) in functions)
        {
            long total = 0;
            for (var i = 0; i < InvocationMetrics.Bounds.Length; i++)
            {
                total += counts.Bucket(i);
                text.Append(CultureInfo.InvariantCulture, $"{name}_bucket{{function=\"{function}\",le=\"{InvocationMetrics.Bounds[i]}\"}} {total}\n");
            }
            total += counts.Bucket(InvocationMetrics.Bounds.Length);
            text.Append(CultureInfo.InvariantCulture, $"{name}_bucket{{function=\"{function}\",le=\"+Inf\"}} {total}\n");
            text.Append(CultureInfo.InvariantCulture, $"{name}_sum{{function=\"{function}\"}} {counts.Duration.TotalSeconds}\n");
            text.Append(CultureInfo.InvariantCulture, $"{name}_count{{function=\"{function}\"}} {total}\n");
        }
    }

    private static void Single(StringBuilder text, string name, string type, string help, long value)
    {
        Header(text, name, type, help);
        text.Append(CultureInfo.InvariantCulture, $"{name} {value}\n");
    }

    private static void Header(StringBuilder text, string name, string type, string help) =>
        text.Append("# HELP ").Append(name).Append(' ').Append(help).Append("\n# TYPE ").Append(name).Append(' ').Append(type).Append('\n');
}
