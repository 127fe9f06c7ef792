using System.Diagnostics;
using System.Globalization;
using Functions.PgSidecar.Tests.EndToEnd.Events;

namespace Functions.PgSidecar.Tests.EndToEnd.Operation;

/// <summary>
/// A server is upgraded by pg_upgrade, as docs/operations.md says: from the oldest version that is installed to the tested one. Where there
/// is only one, the new server has the same version; what the sidecar sees is the same: another system identifier, and no slot.
/// </summary>
public sealed class UpgradeTests
{
    private const string Installed = "/usr/lib/postgresql";

    /// <summary>The folders of the server's programs, by version.</summary>
    private static readonly List<string> Versions =
    [
        .. (Directory.Exists(Installed) ? Directory.GetDirectories(Installed) : [])
            .Where(folder => int.TryParse(Path.GetFileName(folder), out var version) && version >= 15)
            .OrderBy(folder => int.Parse(Path.GetFileName(folder), CultureInfo.InvariantCulture))
            .Select(folder => Path.Combine(folder, "bin"))
            .Where(folder => File.Exists(Path.Combine(folder, "pg_upgrade"))),
    ];

    private static string? Former => Versions.FirstOrDefault();

    private static string? Current => Environment.GetEnvironmentVariable("PGFN_POSTGRES_BIN") ?? Versions.LastOrDefault();

    [Fact]
    [Trait("Speed", "Slow")]
    public async Task Upgraded_server_fires_for_new_changes_and_delivers_what_waited_once_it_is_adopted()
    {
        Assert.SkipUnless(Former is not null && File.Exists($"{Current}/pg_upgrade"), "This machine has no pg_upgrade.");
        await using var origin = await FaultHarness.CreateWithServerAsync(await PrivateServer.StartWithAsync(Former));
        await origin.InsertAsync(1, 10);
        await origin.AllDeliveredAsync(10);
        await origin.ExecuteAsync("select functions.disable('noting')");
        await origin.InsertAsync(11, 11);
        await origin.UntilAsync("(select count(*) = 1 from functions_private.deliveries)");
        await origin.CaughtUpAsync();
        origin.First.Terminate();
        await origin.First.WaitForExitAsync();
        await using var emptyServer = await PrivateServer.StartWithAsync(Current);
        await origin.Server.StopAsync();
        await emptyServer.StopAsync();
        await UpgradeAsync(origin.Server, emptyServer);

        await using var upgraded = FaultHarness.CreateBareOn(await PrivateServer.StartInAsync(emptyServer.Directory, Current));
        var sidecar = await upgraded.StartSidecarAsync();
        Assert.Contains("This database is a copy", sidecar.Log, StringComparison.Ordinal);
        Assert.Equal(1, await upgraded.ScalarAsync<long>("select events_held from functions.replication"));
        await upgraded.ExecuteAsync("select functions.enable('noting')");
        await upgraded.InsertAsync(12, 20);
        await upgraded.UntilAsync("(select count(*) = 9 from effects where id >= 12)");
        Assert.Equal(1, await upgraded.ScalarAsync<long>("select functions.adopt('deliver')"));
        await upgraded.AllDeliveredAsync(20);
        await upgraded.EachRowHasOneEventAsync(20);
    }

    private static async Task UpgradeAsync(PrivateServer from, PrivateServer to)
    {
        var failure = await RunAsync(
            $"""
            set -e
            from='{from.Directory}' to='{to.Directory}' former="{Former}" current="{Current}"
            # pg_upgrade connects to both servers, whose passwords differ.
            for data in "$from/data" "$to/data"; do sed -i 's/scram-sha-256/trust/' "$data/pg_hba.conf"; done
            mkdir -p "$to/upgrade"
            user=$(stat -c %U "$from/data")
            chown "$user" "$to/upgrade"
            cd "$to/upgrade"
            as_server=
            [ "$(id -u)" != 0 ] || as_server="setpriv --reuid $user --regid $(id -g "$user") --clear-groups"
            # The old server has a logical slot, and does not start without the level that cluster.sh gives it as an option.
            $as_server "$current/pg_upgrade" -b "$former" -B "$current" -d "$from/data" -D "$to/data" -U postgres -o '-c wal_level=logical' >"$to/upgrade.log" 2>&1 ||
              {"{"} cat "$to/upgrade.log" >&2; exit 1; {"}"}
            cp "$from/password" "$to/password"
            """
        );
        Assert.True(failure is null, failure);
    }

    /// <summary>Runs a script; null if it succeeds, else what it wrote to the standard error.</summary>
    private static async Task<string?> RunAsync(string script)
    {
        using var process = Process.Start(new ProcessStartInfo("/bin/sh", ["-c", script]) { RedirectStandardError = true })!;
        var error = await process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();
        return process.ExitCode == 0 ? null : error;
    }
}
