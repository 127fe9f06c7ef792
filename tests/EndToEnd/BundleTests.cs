using Functions.PgSidecar.Testing;

namespace Functions.PgSidecar.Tests.EndToEnd;

/// <summary><c>pgfn deploy</c> of folders and TypeScript: several files and packages become one module.</summary>
public sealed class BundleTests(SidecarFixture sidecar) : IDisposable
{
    private readonly DirectoryInfo directory = Directory.CreateTempSubdirectory("pgfn-");

    public void Dispose() => directory.Delete(recursive: true);

    [Fact]
    public async Task A_folder_with_Drizzle_and_Kysely_runs_on_the_database_and_its_stacks_name_its_files()
    {
        var folder = Path.Combine(Root, "examples", "orm");
        await using (var schema = sidecar.Database.Owner.CreateCommand(await File.ReadAllTextAsync(Path.Combine(folder, "schema.sql"))))
            await schema.ExecuteNonQueryAsync();
        var name = "orm-" + Guid.NewGuid().ToString("n")[..8];
        var (code, output, error) = await DeployAsync([name, folder, "--options", Path.Combine(folder, "function.json")]);
        Assert.True(code == 0, error);
        Assert.Equal($"{name}: version 1 is ready", output.Trim());

        Assert.Equal("""[{"title":"Milk!"}]""", await sidecar.Http.GetStringAsync($"/functions/v1/invoke/{name}/drizzle?title=Milk"));
        Assert.Equal(
            """{"title":"Bread","done":true}""",
            await sidecar.Http.GetStringAsync($"/functions/v1/invoke/{name}/kysely?title=Bread")
        );

        using var broken = await sidecar.Http.GetAsync($"/functions/v1/invoke/{name}/broken");
        var line =
            1
            + Array.FindIndex(await File.ReadAllLinesAsync(Path.Combine(folder, "index.ts")), text =>
                text.Contains("on purpose", StringComparison.Ordinal)
            );
        var message = await sidecar.EventuallyAsync<string>(
            "select l.message from functions.logs l join functions.invocations i on i.id = l.invocation_id where i.function = $1 and l.message like '%on purpose%'",
            name
        );
        Assert.Contains($"index.ts:{line}:", message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Runtime_error_in_TypeScript_names_the_source_file()
    {
        await File.WriteAllTextAsync(
            Path.Combine(directory.FullName, "hello.ts"),
            "interface A {\n  a: string;\n}\nconst text: A = JSON.parse('null');\ntext.a.length;\nexport const handler = () => 1;\n"
        );
        Directory.CreateSymbolicLink(Path.Combine(directory.FullName, "node_modules"), Path.Combine(Root, "examples", "node_modules"));
        var name = "ts-" + Guid.NewGuid().ToString("n")[..8];
        var (code, _, error) = await DeployAsync([name, Path.Combine(directory.FullName, "hello.ts")]);
        Assert.Equal(1, code);
        Assert.Contains("hello.ts:5:", error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_folder_without_an_entry_is_refused()
    {
        var (code, _, error) = await DeployAsync(["none", directory.FullName]);
        Assert.Equal(2, code);
        Assert.Contains("The folder has no entry file: index.ts", error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(
        "wrangler.jsonc",
        """
            {
              // as wrangler writes it
              "main": "worker.ts", "vars": { "COLOUR": "red", "LIMITS": { "a": 1 } },
              "kv_namespaces": [{ "binding": "MY_SESSIONS", "id": "06779da6940b431db6e566b4846d64db" }, { "binding": "CACHE", "id": "0" }],
              "queues": { "producers": [{ "binding": "EMAILS", "queue": "emails" }], "consumers": [{ "queue": "emails", "max_batch_size": 5 }] },
              "triggers": { "crons": ["0 3 * * *"] },
            }
            """
    )]
    [InlineData(
        "wrangler.toml",
        """
            # as wrangler writes it
            main = "worker.ts"
            kv_namespaces = [{ binding = "MY_SESSIONS", id = "06779da6940b431db6e566b4846d64db" }, { binding = "CACHE", id = "0" }]
            [vars]
            COLOUR = "red"
            LIMITS = { a = 1 }
            [[queues.producers]]
            binding = "EMAILS"
            queue = "emails"
            [[queues.consumers]]
            queue = "emails"
            max_batch_size = 5
            [triggers]
            crons = ["0 3 * * *"]
            """
    )]
    public async Task The_configuration_of_a_Worker_gives_variables_bindings_and_the_entry(string file, string text)
    {
        const string Source = """
            export default { fetch: async (request: Request, env: any) =>
              Response.json([env.COLOUR, JSON.parse(env.LIMITS), typeof env.EMAILS.send, typeof env.MY_SESSIONS.get]) };
            """;
        await File.WriteAllTextAsync(Path.Combine(directory.FullName, "worker.ts"), Source);
        await File.WriteAllTextAsync(Path.Combine(directory.FullName, file), text);
        var name = "wrangler-" + Path.GetExtension(file)[1..];
        var esbuild = Path.Combine(Root, "examples", "node_modules", ".bin");
        var (code, output, error) = await DeployAsync(
            [name, directory.FullName],
            ("PATH", esbuild + ":" + Environment.GetEnvironmentVariable("PATH"))
        );
        Assert.True(code == 0, error);
        Assert.Contains(
            $$"""
              select functions.create_cache('my-sessions');
              select functions.create_queue('emails');
              select functions.schedule('{{name}}', '{{name}}', '0 3 * * *');
              select functions.consume_queue('emails', '{{name}}', '{"batch_size":5}');
            """,
            output,
            StringComparison.Ordinal
        );
        Assert.Equal("""["red",{"a":1},"function","function"]""", (await sidecar.CallAsync(name))!.ToJsonString());
    }

    [Fact]
    public async Task Error_without_esbuild_says_how_to_install_it()
    {
        await File.WriteAllTextAsync(Path.Combine(directory.FullName, "index.ts"), "export const handler = () => 1;");
        var (code, _, error) = await DeployAsync(["none", directory.FullName], ("PATH", "/nowhere"));
        Assert.Equal(2, code);
        Assert.Contains("npm install --save-dev esbuild", error, StringComparison.Ordinal);
    }

    private static string Root => PostgresServer.Root;

    private Task<(int Code, string Output, string Error)> DeployAsync(string[] arguments, params (string Name, string Value)[] settings) =>
        DeployCommand.RunAsync(sidecar.Database.ConnectionString, directory.FullName, arguments, settings);
}
