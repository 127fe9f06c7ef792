using System.CommandLine;
using Npgsql;
using NpgsqlTypes;

namespace Functions.PgSidecar.Cli;

/// <summary>
/// <c>pgfn deploy NAME FILE</c>: <c>functions.deploy</c> and <c>functions.wait_ready</c> for a file; a folder or TypeScript is bundled
/// first.
/// <c>pgfn deploy NAME --wasm FILE</c>: the same with <c>functions.deploy_wasm</c>.
/// </summary>
internal static class DeployCommand
{
    /// <summary>The command.</summary>
    public static Command Create()
    {
        var name = new Argument<string>("name") { Description = "The function's name." };
        var file = new Argument<FileSystemInfo?>("file")
        {
            Description = "An ES module without imports; or a folder or a TypeScript file, which esbuild bundles.",
            Arity = ArgumentArity.ZeroOrOne,
        };
        var wasm = new Option<FileInfo?>("--wasm")
        {
            Description = "A WebAssembly module, instead of a file: a WASI command, or a reactor with a handler.",
        };
        var options = new Option<FileInfo?>("--options") { Description = "A JSON file with the function's options." };
        var command = new Command("deploy", "Deploy a function and wait until a sidecar has compiled it.") { name, file, wasm, options };
        command.Validators.Add(result =>
        {
            if (result.GetValue(file) is null == result.GetValue(wasm) is null)
                result.AddError("State what to deploy: a file, or --wasm with a module.");
        });
        command.SetAction(
            async (parsed, cancellationToken) =>
                parsed.GetValue(wasm) is { } module
                    ? await DeployAsync(parsed.GetRequiredValue(name), module, isModule: true, parsed.GetValue(options), cancellationToken)
                    : await DeployAsync(
                        parsed.GetRequiredValue(name),
                        parsed.GetValue(file)!,
                        isModule: false,
                        parsed.GetValue(options),
                        cancellationToken
                    )
        );
        return command;
    }

    private static async Task<int> DeployAsync(
        string name,
        FileSystemInfo file,
        bool isModule,
        FileInfo? options,
        CancellationToken cancellationToken
    )
    {
        if (Settings.Load() is not { } settings)
            return Settings.ExitCode;
        if (new FileSystemInfo?[] { file, options }.FirstOrDefault(given => given is { Exists: false }) is { } missing)
        {
            await Console.Error.WriteLineAsync($"{missing}: the file does not exist.");
            return Settings.ExitCode;
        }
        await using var dataSource = Database.CreateDataSource(settings);
        try
        {
            var wrangler = file is DirectoryInfo folder ? await WranglerFile.ReadAsync(folder, name, cancellationToken) : null;
            await using var deploy = dataSource.CreateCommand(
                isModule ? "select functions.deploy_wasm($1, $2, $3 || $4)" : "select functions.deploy($1, $2, 'javascript', $3 || $4)"
            );
            deploy.Parameters.AddWithValue(name);
            deploy.Parameters.AddWithValue(
                isModule
                    ? await File.ReadAllBytesAsync(file.FullName, cancellationToken)
                    : await ReadAsync(file, wrangler?.Main, cancellationToken)
            );
            var given = options is null ? "{}" : await File.ReadAllTextAsync(options.FullName, cancellationToken);
            deploy.Parameters.AddWithValue(NpgsqlDbType.Jsonb, (wrangler?.Options ?? []).ToJsonString());
            deploy.Parameters.AddWithValue(NpgsqlDbType.Jsonb, given);
            var version = (int)(await deploy.ExecuteScalarAsync(cancellationToken))!;
            await using var wait = dataSource.CreateCommand("call functions.wait_ready($1, $2)");
            wait.Parameters.AddWithValue(name);
            wait.Parameters.AddWithValue(version);
            await wait.ExecuteNonQueryAsync(cancellationToken);
            Console.WriteLine($"{name}: version {version} is ready");
            if (wrangler is { Statements.Count: > 0 })
                Console.WriteLine($"{wrangler.File} also asks for:\n  {string.Join("\n  ", wrangler.Statements)}");
            return 0;
        }
        catch (BundlerException e)
        {
            await Console.Error.WriteLineAsync($"{file}: {e.Message}");
            return Settings.ExitCode;
        }
        catch (PostgresException e)
        {
            await Console.Error.WriteLineAsync($"{name}: {e.MessageText}{(e.Hint is null ? "" : " " + e.Hint)}");
            return 1;
        }
        catch (NpgsqlException e)
        {
            await Console.Error.WriteLineAsync($"DATABASE_URL: {e.Message}");
            return Settings.ExitCode;
        }
    }

    private static Task<string> ReadAsync(FileSystemInfo file, string? main, CancellationToken cancellationToken) =>
        Bundler.Concerns(file)
            ? Bundler.BundleAsync(file, main, cancellationToken)
            : File.ReadAllTextAsync(file.FullName, cancellationToken);
}
