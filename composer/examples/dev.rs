use std::path::Path;
use borg_compose::{Digest, engine::job::*, image::*, lock::types::*, progress::Progress, store::Store, tree::*, workshop::*};
use borg_compose::profile::types::Compression;
fn debs(store:&Store, list:&str)->Vec<LockedPackage>{ std::fs::read_to_string(list).unwrap().lines().map(|l|{ let mut w=l.split_whitespace(); let url=w.next().unwrap().trim_matches('\''); let base=url.rsplit('/').next().unwrap(); let bytes=std::fs::read(format!("/tmp/w/debs/{base}")).unwrap_or_else(|_|panic!("{base}")); let sha=store.insert(&bytes).unwrap(); LockedPackage{name:base.split('_').next().unwrap().into(),version:"".into(),architecture:"amd64".into(),layer:None,archive:"debian".into(),filename:base.into(),size:bytes.len() as u64,sha256:sha}}).collect() }
fn main()->std::process::ExitCode{
 let a=std::env::args().nth(1);
 if a.as_deref().is_some_and(|a|a.starts_with("__")) { return borg_compose::cli::main(); }
 let fast = a.as_deref()==Some("fast");
 let p=Progress::new(false);
 let store=Store::open(Path::new("/tmp/w/store")).unwrap();
 let t0=std::time::Instant::now();
 let ess=debs(&store,"/tmp/w/ess.uris"); let base=debs(&store,"/tmp/w/base.uris"); let all=debs(&store,"/tmp/w/all.uris"); let tools=debs(&store,"/tmp/w/tools.uris");
 eprintln!("read {:?}",t0.elapsed()); let t0=std::time::Instant::now();
 let tr=Tools::prepare(&tools.iter().collect::<Vec<_>>(),&store,&p).unwrap();
 eprintln!("tools {:?}",t0.elapsed()); let t0=std::time::Instant::now();
 let names=|v:&[LockedPackage]| v.iter().map(|p|p.name.clone()).collect::<std::collections::BTreeSet<_>>();
 let d=|v:&[LockedPackage],not:&[LockedPackage]| {let n=names(not); v.iter().filter(|p|!n.contains(&p.name)).map(|p|Deb{name:p.name.clone(),sha256:p.sha256}).collect::<Vec<_>>()};
 let mp=store.temporary_folder().unwrap();
 let _ = std::fs::remove_file("/tmp/w/store/logs/dev.log");
 let w=Worker{setup:Setup{tools:tr.root.clone(),store:store.root().into(),mountpoint:mp.path().into(),scratch:namespaces::Scratch::Memory(8<<30),binds:vec![],network:false},progress:&p};
 let comp= if fast {Compression::Fast} else {Compression::Zstd};
 let job=borg_compose::cli::worker::Job::System(SystemJob{epoch:1760000000,compression:comp,log:"/store/logs/dev.log".into(),
   base:Step::Make(BaseInput{essential:d(&ess,&[]),others:d(&base,&ess)}),
   packages:Step::Make(PackagesInput{debs:d(&all,&base),units:Tree::default(),commands:vec![]}),
   initrd:Some(InitrdInput{files:Tree::default()})});
 let built:Built=match w.run(&job){Ok(b)=>b,Err(e)=>{eprintln!("{e}\n{:#?}\n{:?}",e.causes(),e.help_text()); return 1.into()}};
 eprintln!("system {:?}",t0.elapsed()); let t0=std::time::Instant::now();
 let mut tree=Tree::default(); tree.insert("etc/hostname",Node::file("edge\n"));
 let (b,pk)=(built.base.unwrap(),built.packages.unwrap());
 let cfg=std::fs::read_to_string("/tmp/w/grub.cfg").unwrap();
 let m:Medium=match w.run(&borg_compose::cli::worker::Job::Medium(MediumJob{epoch:1760000000,compression:comp,log:"/store/logs/dev.log".into(),label:"BORGOS_DEV".into(),size_limit:2_000_000_000,lower:vec![b.clone(),pk.clone()],files:medium::FilesLayer::Make(tree),boot:built.boot.clone().unwrap(),grub_cfg:cfg})){Ok(b)=>b,Err(e)=>{eprintln!("{e}\n{:#?}\n{:?}",e.causes(),e.help_text()); return 1.into()}};
 eprintln!("medium {:?}",t0.elapsed());
 eprintln!("base {} {}\npackages {} {}\nboot {:?}\nids {:?}\n{m:?}", b.digest,b.size,pk.digest,pk.size,built.boot,pk.accounts.ids());
 std::fs::copy(store.object(&m.iso),"/tmp/w/dev.iso").unwrap();
 let _=Digest::of(""); 0.into()
}
