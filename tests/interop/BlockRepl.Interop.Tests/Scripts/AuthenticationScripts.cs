using Xunit;

namespace BlockRepl.Interop.Tests;

/// <summary>The shared secret: right, wrong, missing.</summary>
[Trait("Category", "Interop")]
public sealed class AuthenticationScripts(Laboratory laboratory)
{
    public static TheoryData<Side, string> AlgorithmsAndSides { get; } =
    [
        new(Side.BlockRepl, "sha1"), new(Side.Kernel, "sha1"), new(Side.BlockRepl, "md5"),
        Variants.InShortChoice(new TheoryDataRow<Side, string>(Side.Kernel, "md5")),
        Variants.InShortChoice(new TheoryDataRow<Side, string>(Side.BlockRepl, "sha256")),
        new(Side.Kernel, "sha256"),
    ];

    /// <param name="other">Who has another secret or none.</param>
    [Theory]
    [MemberData(nameof(AlgorithmsAndSides))]
    public void Only_the_right_secret_lets_them_connect(Side other, string algorithm)
    {
        string right = $"cram-hmac-alg {algorithm}; shared-secret \"FooFunFactory\";";
        var configuration = new Configuration { Setup = Setup.Careful, Net = right + Configuration.QuickToNotice };
        Scenario.Play(laboratory, other, configuration, s =>
        {
            // What it says of a challenge that it receives when it has no secret, if it has the time.
            s.KnowFaultOfKernel("ProtocolError");
            s.CreateInSync();
            s.Write();
            s.MustBeEqual();
            s.Primary.Secondary();
            foreach (string wrong in new[] { right.Replace("Fun", "Fan", StringComparison.Ordinal), "" })
            {
                s.Primary.Down();
                s.ConfigureOne(s.Primary, c => c with { Net = wrong + Configuration.QuickToNotice });
                s.Primary.Up();
                s.MustStayApart();
                s.Primary.Down();
                s.ConfigureOne(s.Primary, c => c);
                s.Primary.Up();
                s.Secondary.Try("connect");
                s.WaitConnected();
                s.MustBeEqual();
            }
        });
    }
}
