using System.Text.RegularExpressions;
using BlockRepl.Core;
using BlockRepl.Iscsi.Protocol;
using BlockRepl.Sbd;
using Xunit;

namespace BlockRepl.Tidy.Tests;

/// <summary>Which assembly may use which; src/ARCHITECTURE.md gives the reasons.</summary>
public sealed partial class DependencyTests
{
    private static readonly Dictionary<string, string[]> Allowed = new()
    {
        ["Core"] = [],
        ["Sbd"] = [],
        ["Iscsi.Protocol"] = [],
        ["Configuration"] = ["Core"],
        ["Platform"] = ["Core"],
        ["Iscsi"] = ["Iscsi.Protocol", "Platform"],
        ["FrontEnd"] = ["Core", "Platform"],
        ["Engine"] = ["Core", "Platform", "FrontEnd"],
        ["Administration"] = ["Core", "Configuration"],
        ["Daemon"] = ["Core", "Configuration", "Platform", "FrontEnd", "Engine", "Administration"],
        ["Fencing"] = ["Sbd", "Iscsi", "Iscsi.Protocol", "Platform"],
        ["Cli"] = ["Core", "Configuration", "Platform", "Administration"],
    };

    [Fact]
    public void Assemblies_refer_only_downwards()
    {
        foreach (SourceFile project in SourceTree.WithExtension(".csproj").Where(f => f.IsIn("src")))
        {
            string name = ShortName(Path.GetFileNameWithoutExtension(project.Path));
            Assert.True(Allowed.ContainsKey(name), $"{project.Path}: add it to the table of allowed references");
            foreach (Match reference in ProjectReference().Matches(project.Text))
            {
                string target = ShortName(reference.Groups[1].Value);
                Assert.True(Allowed[name].Contains(target), $"{name} must not refer to {target}");
            }
        }
    }

    [Theory]
    [InlineData("Core")]
    [InlineData("Sbd")]
    [InlineData("Iscsi.Protocol")]
    public void A_pure_assembly_has_no_package_but_its_analyzer(string name)
    {
        SourceFile project = SourceTree.Files.Single(f => f.Path == $"src/BlockRepl.{name}/BlockRepl.{name}.csproj");
        Assert.Equal(
            ["Microsoft.CodeAnalysis.BannedApiAnalyzers"],
            PackageReference().Matches(project.Text).Select(m => m.Groups[1].Value));
        Assert.DoesNotContain("<ProjectReference", project.Text, StringComparison.Ordinal);
    }

    /// <summary>
    /// The compiled assembly is the witness: a reference appears in it only when something of it is used.
    /// </summary>
    [Theory]
    [InlineData(typeof(ICoreHost))]
    [InlineData(typeof(ISectorDevice))]
    [InlineData(typeof(IscsiException))]
    public void A_pure_assembly_uses_only_the_pure_parts_of_the_base_library(Type member)
    {
        string[] pure =
        [
            "System.Runtime", "System.Collections", "System.Memory", "System.Linq", "System.Numerics.Vectors",
            "System.Runtime.Intrinsics", "System.Runtime.Extensions", "System.Security.Cryptography",
            "System.Collections.Immutable", "System.Text.Encoding.Extensions",
        ];
        IEnumerable<string> used = member.Assembly.GetReferencedAssemblies().Select(a => a.Name!);
        Assert.Empty(used.Except(pure));
    }

    [Fact]
    public void The_simulator_uses_the_core_and_nothing_that_touches_the_machine()
    {
        SourceFile simulation =
            SourceTree.Files.Single(f => f.Path == "tests/BlockRepl.Simulation/BlockRepl.Simulation.csproj");
        Assert.Equal(["BlockRepl.Core"], ProjectReference().Matches(simulation.Text).Select(m => m.Groups[1].Value));
    }

    private static string ShortName(string project) => project.Replace("BlockRepl.", "", StringComparison.Ordinal);

    [GeneratedRegex(@"<ProjectReference Include=""[^""]*/([\w.]+)\.csproj""")]
    private static partial Regex ProjectReference();

    [GeneratedRegex(@"<PackageReference Include=""([^""]+)""")]
    private static partial Regex PackageReference();
}
