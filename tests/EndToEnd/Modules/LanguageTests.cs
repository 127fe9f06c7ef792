using System.Net;
using System.Text.Json.Nodes;

namespace Functions.PgSidecar.Tests.EndToEnd.Modules;

/// <summary>The examples in every language. Each queries the database as its caller and responds to HTTP.</summary>
public sealed class LanguageTests(SidecarFixture sidecar)
{
    private const string Ada = "5d2f6f9e-0000-4000-8000-00000000000a";

    [Fact]
    public async Task C() => await AnswersWithTheCallersUsersAsync(await Tools.CompileCAsync("c/users.c"));

    [Fact]
    public async Task C_by_the_generic_call()
    {
        await MakeUsersAsync();
        var name = await sidecar.DeployModuleAsync(await Tools.CompileCAsync("c/columns.c"));
        var answer = (await sidecar.CallAsync(name, subject: Ada))!;
        Assert.Equal("ada@example.com", (string)answer["rows"]![0]![0]!);
        Assert.Equal(["text", "timestamptz"], answer["fields"]!.AsArray().Select(field => (string)field!["type"]!));
        using var refused = await sidecar.PostAsync(name, role: "anon");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, refused.StatusCode);
    }

    [Fact]
    [Trait("Speed", "Slow")]
    public async Task AssemblyScript() =>
        await AnswersWithTheCallersUsersAsync(await Tools.CompileAssemblyScriptAsync("assemblyscript/users.ts"));

    [Fact]
    public async Task Rust() => await AnswersWithTheCallersUsersAsync(await Tools.CompileRustAsync("rust/users.rs"));

    [Fact]
    [Trait("Speed", "Slow")]
    public async Task Go() => await AnswersWithTheCallersUsersAsync(await Tools.CompileGoAsync("go/users.go"));

    [Fact]
    public async Task The_text_format()
    {
        await MakeUsersAsync();
        var name = await sidecar.DeployModuleAsync(await Tools.AssembleExampleAsync("wat/count.wat"));
        Assert.Equal(1, (int)(await sidecar.CallAsync(name, subject: Ada))!["rows"]![0]!["users"]!);
        Assert.Equal(0, (int)(await sidecar.CallAsync(name))!["rows"]![0]!["users"]!);
    }

    private async Task AnswersWithTheCallersUsersAsync(byte[] module)
    {
        await MakeUsersAsync();
        var name = await sidecar.DeployModuleAsync(module);
        var answer = (await sidecar.CallAsync(name, subject: Ada))!;
        Assert.Equal($$"""[{"id":"{{Ada}}","email":"ada@example.com"}]""", answer["rows"]!.ToJsonString());
        using var refused = await sidecar.PostAsync(name, role: "anon");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, refused.StatusCode);
        Assert.Equal("The users can't be read just now.", (string)JsonNode.Parse(await refused.Content.ReadAsStringAsync())!["error"]!);
        await sidecar.EventuallyAsync<string>(
            "select message from functions.logs where function = $1 and message like '%permission denied%'",
            name
        );
    }

    /// <summary>Two users, each of whom may see only their own row.</summary>
    private Task MakeUsersAsync() =>
        sidecar.Database.ExecuteAsync(
            $"""
            create schema if not exists examples;
            create table if not exists examples.users (id uuid primary key default gen_random_uuid(), email text not null unique, created_at timestamptz not null default now());
            alter table examples.users enable row level security;
            grant usage on schema examples to authenticated;
            grant select on examples.users to authenticated;
            drop policy if exists own on examples.users;
            create policy own on examples.users for select to authenticated using (id::text = functions.uid()::text);
            insert into examples.users (id, email) values ('{Ada}', 'ada@example.com'), (gen_random_uuid(), 'bob@example.com') on conflict do nothing;
            """
        );
}
