using System.Diagnostics;
using System.Globalization;
using Npgsql;

namespace Functions.PgSidecar.Tests.EndToEnd.Operation;

/// <summary>Copies databases as operators do, with pg_dump and psql of the newest version on the machine.</summary>
internal static class DumpedDatabase
{
    private const string NewestPrograms = "PATH=$(ls -d /usr/lib/postgresql/*/bin | sort -V | tail -1):$PATH; ";

    /// <summary>The version of pg_dump, which refuses newer servers.</summary>
    public static async Task<int> ProgramVersionAsync() =>
        int.Parse(await RunAsync("pg_dump --version | sed 's/[^0-9]*\\([0-9]*\\).*/\\1/'", []), CultureInfo.InvariantCulture);

    /// <summary>Restores a dump into an empty database. Grants to missing roles fail and the rest continues, as with pg_restore.</summary>
    public static Task RestoreAsync(string from, string to) =>
        RunAsync("pg_dump \"$FROM\" | psql -Xq \"$TO\"", [("FROM", Libpq(from)), ("TO", Libpq(to))]);

    private static async Task<string> RunAsync(string script, (string Name, string Value)[] variables)
    {
        var start = new ProcessStartInfo("/bin/sh") { RedirectStandardError = true, RedirectStandardOutput = true };
        start.ArgumentList.Add("-c");
        start.ArgumentList.Add(NewestPrograms + script);
        foreach (var (name, value) in variables)
            start.Environment[name] = value;
        using var process = Process.Start(start)!;
        var error = process.StandardError.ReadToEndAsync();
        var output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        Assert.True(process.ExitCode == 0, await error);
        return output;
    }

    private static string Libpq(string connectionString)
    {
        var builder = new NpgsqlConnectionStringBuilder(connectionString);
        return $"host={builder.Host} port={builder.Port} user={builder.Username} password={builder.Password} dbname={builder.Database}";
    }
}
