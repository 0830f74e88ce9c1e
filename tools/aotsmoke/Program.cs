using BlockRepl.Core.Protocol;

Console.WriteLine("ok " + DigestAlgorithm.Md5.LinuxName());
return 0;
