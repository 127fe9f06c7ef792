using System.Diagnostics;

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
        Assert.Equal("""{"title":"Bread","done":true}""", await sidecar.Http.GetStringAsync($"/functions/v1/invoke/{name}/kysely?title=Bread"));

        using var broken = await sidecar.Http.GetAsync($"/functions/v1/invoke/{name}/broken");
        var line = 1 + Array.FindIndex(await File.ReadAllLinesAsync(Path.Combine(folder, "index.ts")), text => text.Contains("on purpose", StringComparison.Ordinal));
        var message = await sidecar.EventuallyAsync<string>(
            "select l.message from functions.logs l join functions.invocations i on i.id = l.invocation_id where i.function = $1 and l.message like '%on purpose%'", name);
        Assert.Contains($"index.ts:{line}:", message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_mistake_in_TypeScript_that_only_shows_when_it_runs_is_placed_in_the_file()
    {
        await File.WriteAllTextAsync(Path.Combine(directory.FullName, "hello.ts"), "interface A {\n  a: string;\n}\nconst text: A = JSON.parse('null');\ntext.a.length;\nexport const handler = () => 1;\n");
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
        Assert.Contains("The folder has no entry: index.ts", error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Without_esbuild_the_error_says_how_to_get_it()
    {
        await File.WriteAllTextAsync(Path.Combine(directory.FullName, "index.ts"), "export const handler = () => 1;");
        var (code, _, error) = await DeployAsync(["none", directory.FullName], ("PATH", "/nowhere"));
        Assert.Equal(2, code);
        Assert.Contains("npm install --save-dev esbuild", error, StringComparison.Ordinal);
    }

    private static string Root
    {
        get
        {
            var folder = new DirectoryInfo(AppContext.BaseDirectory);
            while (!File.Exists(Path.Combine(folder!.FullName, "Functions.PgSidecar.slnx")))
                folder = folder.Parent;
            return folder.FullName;
        }
    }

    private async Task<(int Code, string Output, string Error)> DeployAsync(string[] arguments, params (string Name, string Value)[] settings)
    {
        var start = new ProcessStartInfo("dotnet", [SidecarProcess.Executable(), "deploy", .. arguments])
        {
            WorkingDirectory = directory.FullName,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["DATABASE_URL"] = sidecar.Database.ConnectionString;
        start.Environment["PGFN_JWT_SECRET"] = SidecarProcess.JwtSecret;
        foreach (var (name, value) in settings)
            start.Environment[name] = value;
        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEndAsync();
        var error = process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();
        return (process.ExitCode, await output, await error);
    }
}
